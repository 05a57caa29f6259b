/** What can be done with the chosen row, beside it: Tab leads here from the field, arrows between, Escape back. */
import { Call20Regular, Chat20Regular, ContactCard20Regular, Copy20Regular, PersonAdd20Regular, Video20Regular } from "@fluentui/react-icons";
import type { KeyboardEvent } from "react";

import { useEngine } from "../engine/hooks";
import { go } from "../engine/place";
import { IconButton } from "../parts/IconButton";
import { useCopy } from "../parts/useCopy";
import { useWays } from "../people/useWays";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";
import type { Choice } from "./choices";
import css from "./search.module.css";

interface Props {
  choice: Choice;
  /** Distance of the row from the top of the list, in pixels. */
  top: number;
  height: number;
  onLeave: () => void;
  onBack: () => void;
  onKeep: (number: string) => void;
}

function PersonTools({ person, onLeave }: { person: Person; onLeave: () => void }) {
  const { t } = useTexts();
  const engine = useEngine();
  const ways = useWays(person);
  const then = (act: () => void) => () => {
    onLeave();
    act();
  };
  return (
    <>
      {ways.chat && <IconButton icon={<Chat20Regular />} label={t("contact.chat")} onClick={then(ways.chat)} />}
      {ways.call && <IconButton icon={<Call20Regular />} label={t("call.call")} barred={ways.barred} onClick={then(ways.call)} />}
      {ways.video && <IconButton icon={<Video20Regular />} label={t("call.video.long")} barred={ways.barred} onClick={then(ways.video)} />}
      {!person.in_list && <IconButton icon={<PersonAdd20Regular />} label={t("contact.add")} onClick={() => void engine.people.add(person.id, "", [])} />}
      <IconButton icon={<ContactCard20Regular />} label={t("contact.show")} onClick={then(() => go("contacts", person.id))} />
    </>
  );
}

export function RowTools({ choice, top, height, onLeave, onBack, onKeep }: Props) {
  const { t } = useTexts();
  const copy = useCopy();
  if (choice.kind === "room" || choice.kind === "more" || choice.kind === "write") return null;
  const key = (event: KeyboardEvent<HTMLElement>) => {
    const buttons = [...event.currentTarget.querySelectorAll("button")];
    const at = buttons.findIndex((button) => button === document.activeElement);
    const forward = document.documentElement.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
    if (event.key === "Escape" || event.key === "ArrowUp" || event.key === "ArrowDown" || (event.key === "Tab" && event.shiftKey && at === 0)) onBack();
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") buttons[at + (event.key === forward ? 1 : -1)]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className={css.tools} role="toolbar" aria-label={t("search.tools")} style={{ insetBlockStart: top, blockSize: height }} onKeyDown={key}>
      {choice.kind === "person" ? (
        <PersonTools person={choice.row.person} onLeave={onLeave} />
      ) : (
        <>
          <IconButton icon={<PersonAdd20Regular />} label={t("contact.keep")} onClick={() => onKeep(choice.to)} />
          <IconButton icon={<Copy20Regular />} label={t("copyValue", { value: choice.to })} onClick={() => copy(choice.to)} />
        </>
      )}
    </div>
  );
}
