/** What can be done with a contact: favourite, groups, nickname, block, remove. */
import { MoreHorizontal20Regular, Star20Filled, Star20Regular } from "@fluentui/react-icons";
import { Menu, MenuDivider, MenuItem, MenuItemCheckbox, MenuList, MenuPopover, MenuTrigger } from "@fluentui/react-menu";
import { useState } from "react";

import { useEngine, useGroups } from "../engine/hooks";
import { ConfirmDialog } from "../parts/ConfirmDialog";
import { IconButton } from "../parts/IconButton";
import { TextDialog } from "../parts/TextDialog";
import { canChat } from "../people/useWays";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";
import css from "./contacts.module.css";
import { FAVOURITES } from "./groups";

type Dialog = "" | "name" | "group" | "remove" | "block";

export function ContactMenu({ person }: { person: Person }) {
  const { t } = useTexts();
  const engine = useEngine();
  const groups = useGroups().filter((group) => group !== FAVOURITES);
  const [dialog, setDialog] = useState<Dialog>("");
  const close = () => setDialog("");
  const setFavourite = () => {
    const others = person.groups.filter((group) => group !== FAVOURITES);
    void engine.people.setGroups(person.id, person.favourite ? others : [...others, FAVOURITES]);
  };
  const setGroups = (chosen: readonly string[]) =>
    void engine.people.setGroups(person.id, [...chosen, ...person.groups.filter((group) => group === FAVOURITES)]);
  return (
    <div className={css.tools}>
      {person.in_list && (
        <IconButton
          icon={person.favourite ? <Star20Filled className={css.star} /> : <Star20Regular />}
          label={t(person.favourite ? "contact.unfavourite" : "contact.favourite")}
          pressed={person.favourite}
          onClick={setFavourite}
        />
      )}
      <Menu
        positioning="below-end"
        checkedValues={{ groups: person.groups }}
        onCheckedValueChange={(_, data) => setGroups(data.checkedItems)}
      >
        <MenuTrigger disableButtonEnhancement>
          <button type="button" className={shell.more} aria-label={t("more")}>
            <MoreHorizontal20Regular aria-hidden />
          </button>
        </MenuTrigger>
        <MenuPopover>
          <MenuList>
            {person.in_list &&
              groups.map((group) => (
                <MenuItemCheckbox key={group} name="groups" value={group}>
                  {t("contact.inGroup", { group })}
                </MenuItemCheckbox>
              ))}
            {person.in_list && <MenuItem onClick={() => setDialog("group")}>{t("contact.newGroup")}</MenuItem>}
            {person.in_list && <MenuItem onClick={() => setDialog("name")}>{t("contact.nickname")}</MenuItem>}
            {!person.in_list && <MenuItem onClick={() => void engine.people.add(person.id, "", [])}>{t("contact.add")}</MenuItem>}
            {canChat(person) && <MenuDivider />}
            {canChat(person) && (
              <MenuItem onClick={() => (person.blocked ? void engine.people.setBlocked(person.id, false) : setDialog("block"))}>
                {t(person.blocked ? "contact.unblock" : "contact.block")}
              </MenuItem>
            )}
            {person.in_list && <MenuItem onClick={() => setDialog("remove")}>{t("contact.remove")}</MenuItem>}
          </MenuList>
        </MenuPopover>
      </Menu>
      {dialog === "name" && (
        <TextDialog title={t("contact.nickname")} label={t("contact.name")} value={person.nickname} optional onClose={close} onDone={(name) => engine.people.rename(person.id, name)} />
      )}
      {dialog === "group" && (
        <TextDialog title={t("contact.newGroup")} label={t("contact.groupName")} value="" onClose={close} onDone={(name) => engine.people.setGroups(person.id, [...person.groups, name])} />
      )}
      {dialog === "remove" && (
        <ConfirmDialog
          title={t("contact.remove.ask", { name: person.name })}
          text={t("contact.remove.text")}
          yes={t("remove")}
          no={t("keep")}
          onClose={close}
          onDone={() => engine.people.remove(person.id)}
        />
      )}
      {dialog === "block" && (
        <ConfirmDialog
          title={t("contact.block.ask", { name: person.name })}
          text={t("contact.block.text")}
          yes={t("contact.block")}
          no={t("cancel")}
          onClose={close}
          onDone={() => engine.people.setBlocked(person.id, true)}
        />
      )}
    </div>
  );
}
