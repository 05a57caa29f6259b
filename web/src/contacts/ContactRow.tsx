/** A person in a list: the name, then the presence in words. It paints again for this person only. */
import { MenuDivider, MenuItem, MenuList, MenuPopover } from "@fluentui/react-menu";
import type { MouseEvent } from "react";
import { memo } from "react";

import { useEngine, usePerson } from "../engine/hooks";
import { go, placePath } from "../engine/place";
import { Avatar } from "../parts/Avatar";
import { PresenceWords } from "../parts/PresenceWords";
import { presenceSentence } from "../parts/presenceWords";
import { useRowMenu } from "../parts/useRowMenu";
import { presenceOf } from "../people/presenceOf";
import { useWays } from "../people/useWays";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";
import css from "./contacts.module.css";
import { FAVOURITES } from "./groups";

interface Props {
  person: Person;
  current: boolean;
  /** The group it stands in, where it can be moved. */
  group?: string;
  onStep?: (group: string, person: string, by: number) => boolean;
  /** 1: it is the first of the group, 2: the last, 3: both. */
  ends?: number;
}

/** What can be done with a person from any list, by the context menu. */
function Actions({ person, group, onStep, ends = 3 }: Omit<Props, "current">) {
  const { t } = useTexts();
  const engine = useEngine();
  const ways = useWays(person);
  const others = person.groups.filter((name) => name !== FAVOURITES);
  return (
    <MenuPopover>
      <MenuList>
        {ways.chat && <MenuItem onClick={ways.chat}>{t("contact.chat")}</MenuItem>}
        {ways.call && <MenuItem onClick={ways.call} {...ways.marks}>{t("call.call")}</MenuItem>}
        {ways.video && <MenuItem onClick={ways.video} {...ways.marks}>{t("call.video.long")}</MenuItem>}
        <MenuItem onClick={() => go("contacts", person.id)}>{t("contact.show")}</MenuItem>
        {person.in_list && (
          <MenuItem onClick={() => void engine.people.setGroups(person.id, person.favourite ? others : [...others, FAVOURITES])}>
            {t(person.favourite ? "contact.unfavourite" : "contact.favourite")}
          </MenuItem>
        )}
        {onStep && group !== undefined && ends < 3 && (
          <>
            <MenuDivider />
            {(ends & 1) === 0 && <MenuItem onClick={() => onStep(group, person.id, -1)}>{t("arrange.up")}</MenuItem>}
            {(ends & 2) === 0 && <MenuItem onClick={() => onStep(group, person.id, 1)}>{t("arrange.down")}</MenuItem>}
          </>
        )}
      </MenuList>
    </MenuPopover>
  );
}

export const ContactRow = memo(function ContactRow({ person: given, current, ...place }: Props) {
  const texts = useTexts();
  const person = usePerson(given.id) ?? given;
  const state = person.blocked ? texts.t("contact.blocked") : person.pending ? texts.t("contact.pending") : "";
  const presence = presenceOf(person);
  const reached = person.numbers[0]?.shown ?? person.mail;
  const { menu, onContextMenu } = useRowMenu(() => <Actions person={person} {...place} />);
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go("contacts", person.id);
  };
  return (
    <>
      <a
        href={placePath("contacts", person.id)}
        className={`${shell.row ?? ""} ${css.contact ?? ""}`}
        data-contact={place.group === undefined ? undefined : person.id}
        draggable={place.group !== undefined}
        aria-current={current || undefined}
        aria-label={[person.name, state || (presence ? presenceSentence(texts, presence) : reached)].join(", ")}
        onClick={open}
        onContextMenu={onContextMenu}
      >
        <Avatar person={person} presence={presence} />
        <span className={shell.lines}>
          <span className={shell.name}>
            <bdi title={person.name}>{person.name}</bdi>
          </span>
          <span className={shell.second}>{state || !presence ? <span>{state || reached}</span> : <PresenceWords presence={presence} />}</span>
        </span>
      </a>
      {menu}
    </>
  );
});
