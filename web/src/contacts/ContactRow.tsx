/** A person in a list: the name, then the presence in words. It paints again for this person only. */
import { MenuItem, MenuList, MenuPopover } from "@fluentui/react-menu";
import type { MouseEvent } from "react";
import { memo } from "react";

import { useCanCall, useEngine, useFeatures, usePerson } from "../engine/hooks";
import { go, placePath } from "../engine/place";
import { Avatar } from "../parts/Avatar";
import { PresenceWords } from "../parts/PresenceWords";
import { presenceSentence } from "../parts/presenceWords";
import { useRowMenu } from "../parts/useRowMenu";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";

/** What can be done with a person from any list, by the context menu. */
function Actions({ person }: { person: Person }) {
  const { t } = useTexts();
  const engine = useEngine();
  const calls = useCanCall();
  const features = useFeatures();
  const chat = async () => go("chats", (await engine.openChat(person.id)).id);
  return (
    <MenuPopover>
      <MenuList>
        {features?.chats && <MenuItem onClick={() => void chat()}>{t("contact.chat")}</MenuItem>}
        {calls && <MenuItem onClick={() => void engine.phone.start(person.id)}>{t("call.call")}</MenuItem>}
        {calls && features?.video && <MenuItem onClick={() => void engine.phone.start(person.id, true)}>{t("call.video.long")}</MenuItem>}
        <MenuItem onClick={() => go("contacts", person.id)}>{t("contact.show")}</MenuItem>
      </MenuList>
    </MenuPopover>
  );
}

export const ContactRow = memo(function ContactRow({ person: given, current }: { person: Person; current: boolean }) {
  const texts = useTexts();
  const person = usePerson(given.id) ?? given;
  const state = person.blocked ? texts.t("contact.blocked") : person.pending ? texts.t("contact.pending") : "";
  const { menu, onContextMenu } = useRowMenu(() => <Actions person={person} />);
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go("contacts", person.id);
  };
  return (
    <>
      <a
        href={placePath("contacts", person.id)}
        className={shell.row}
        aria-current={current || undefined}
        aria-label={[person.name, state || presenceSentence(texts, person.presence)].join(", ")}
        onClick={open}
        onContextMenu={onContextMenu}
      >
        <Avatar person={person} presence={person.presence} />
        <span className={shell.lines}>
          <span className={shell.name}>
            <bdi title={person.name}>{person.name}</bdi>
          </span>
          <span className={shell.second}>{state ? <span>{state}</span> : <PresenceWords presence={person.presence} />}</span>
        </span>
      </a>
      {menu}
    </>
  );
});
