/** A group of the contact list: its head folds it, its menu renames, moves or deletes it, and its people stand below. */
import { ChevronDown16Regular, ChevronRight16Regular, MoreHorizontal20Regular } from "@fluentui/react-icons";
import { Menu, MenuDivider, MenuItem, MenuList, MenuPopover, MenuTrigger } from "@fluentui/react-menu";
import { useState } from "react";

import { useEngine } from "../engine/hooks";
import { setPreferences, usePreferences } from "../engine/prefs";
import { ConfirmDialog } from "../parts/ConfirmDialog";
import { TextDialog } from "../parts/TextDialog";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import { ContactRow } from "./ContactRow";
import css from "./contacts.module.css";
import type { Group } from "./groups";
import { FAVOURITES, groupName } from "./groups";

interface Props {
  group: Group;
  open: string | null;
  step: (group: string, person: string, by: number) => boolean;
}

function GroupMenu({ group, step }: Omit<Props, "open">) {
  const texts = useTexts();
  const { t } = texts;
  const engine = useEngine();
  const [dialog, setDialog] = useState<"" | "rename" | "remove">("");
  const close = () => setDialog("");
  const own = group.name !== "" && group.name !== FAVOURITES;
  const name = groupName(texts, group.name);
  if (!own && !group.ordered) return null;
  return (
    <>
      <Menu positioning="below-end">
        <MenuTrigger disableButtonEnhancement>
          <button type="button" className={css.groupMore} aria-label={t("group.menu", { group: name })}>
            <MoreHorizontal20Regular aria-hidden />
          </button>
        </MenuTrigger>
        <MenuPopover>
          <MenuList>
            {own && <MenuItem onClick={() => setDialog("rename")}>{t("group.rename")}</MenuItem>}
            {own && <MenuItem onClick={() => step(group.name, "", -1)}>{t("arrange.up")}</MenuItem>}
            {own && <MenuItem onClick={() => step(group.name, "", 1)}>{t("arrange.down")}</MenuItem>}
            {group.ordered && <MenuItem onClick={() => void engine.people.orderPeople(group.name, [])}>{t("group.byName")}</MenuItem>}
            {own && <MenuDivider />}
            {own && <MenuItem onClick={() => setDialog("remove")}>{t("group.remove")}</MenuItem>}
          </MenuList>
        </MenuPopover>
      </Menu>
      {dialog === "rename" && (
        <TextDialog
          title={t("group.rename")}
          label={t("contact.groupName")}
          value={group.name}
          onClose={close}
          onDone={(to) => engine.people.renameGroup(group.name, to)}
        />
      )}
      {dialog === "remove" && (
        <ConfirmDialog
          title={t("group.remove.ask", { group: name })}
          text={t("group.remove.text", { count: group.people.length })}
          yes={t("group.remove")}
          no={t("keep")}
          onClose={close}
          onDone={() => engine.people.removeGroup(group.name)}
        />
      )}
    </>
  );
}

export function GroupSection({ group, open, step }: Props) {
  const texts = useTexts();
  const { t } = texts;
  const { folded } = usePreferences();
  const key = group.name === FAVOURITES ? "*" : `g:${group.name}`;
  const closed = folded.includes(key);
  const toggle = () => setPreferences({ folded: closed ? folded.filter((one) => one !== key) : [...folded, key] });
  return (
    <div data-group={group.name}>
      <div className={css.groupHead} data-group-head draggable={group.name !== "" && group.name !== FAVOURITES}>
        <button type="button" className={shell.section} aria-expanded={!closed} onClick={toggle}>
          {closed ? <ChevronRight16Regular className="flip" aria-hidden /> : <ChevronDown16Regular aria-hidden />}
          <bdi>{groupName(texts, group.name)}</bdi>
          <span>{t("contacts.count", { available: group.available, all: group.people.length })}</span>
        </button>
        <GroupMenu group={group} step={step} />
      </div>
      {!closed &&
        group.people.map((person, at) => (
          <ContactRow
            key={person.id}
            person={person}
            current={person.id === open}
            group={group.name}
            onStep={step}
            ends={(at === 0 ? 1 : 0) + (at === group.people.length - 1 ? 2 : 0)}
          />
        ))}
      {!closed && !group.people.length && <p className={css.none}>{t("group.empty")}</p>}
    </div>
  );
}
