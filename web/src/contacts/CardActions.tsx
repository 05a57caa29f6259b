/** The ways to reach a person, and into the contact list with whom is not in it. */
import { Call20Regular, Chat20Regular, Edit20Regular, Mail20Regular, PersonAdd20Regular, Video20Regular } from "@fluentui/react-icons";
import { Menu, MenuDivider, MenuItem, MenuList, MenuPopover, MenuTrigger } from "@fluentui/react-menu";
import { lazy, Suspense, useState } from "react";

import { useEngine, useGroups } from "../engine/hooks";
import { useAnnounce } from "../parts/announce";
import { TextDialog } from "../parts/TextDialog";
import { useWays } from "../people/useWays";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";
import css from "./contacts.module.css";
import { FAVOURITES, groupName } from "./groups";

const ContactForm = lazy(() => import("./ContactForm"));

/** Into the list, and at once into a group where one is wanted. */
function AddMenu({ person }: { person: Person }) {
  const texts = useTexts();
  const { t, refused } = texts;
  const engine = useEngine();
  const announce = useAnnounce();
  const own = useGroups().filter((group) => group !== FAVOURITES);
  const [naming, setNaming] = useState(false);
  const add = async (groups: string[]) => {
    await engine.people.add(person.id, "", groups);
    announce(t("form.saved", { name: person.name }));
  };
  const tried = (groups: string[]) => void add(groups).catch((error: unknown) => announce(refused(error), true));
  return (
    <>
      <Menu positioning="below-start">
        <MenuTrigger disableButtonEnhancement>
          <button type="button">
            <PersonAdd20Regular aria-hidden />
            {t("contact.addShort")}
          </button>
        </MenuTrigger>
        <MenuPopover>
          <MenuList>
            <MenuItem onClick={() => tried([])}>{t("contact.add")}</MenuItem>
            <MenuItem onClick={() => tried([FAVOURITES])}>{t("contact.favourite")}</MenuItem>
            <MenuDivider />
            {own.map((group) => (
              <MenuItem key={group} onClick={() => tried([group])}>
                {t("contact.inGroup", { group: groupName(texts, group) })}
              </MenuItem>
            ))}
            <MenuItem onClick={() => setNaming(true)}>{t("contact.newGroup")}</MenuItem>
          </MenuList>
        </MenuPopover>
      </Menu>
      {naming && <TextDialog title={t("contact.newGroup")} label={t("contact.groupName")} value="" onClose={() => setNaming(false)} onDone={(name) => add([name])} />}
    </>
  );
}

export function CardActions({ person }: { person: Person }) {
  const { t } = useTexts();
  const ways = useWays(person);
  const [editing, setEditing] = useState(false);
  return (
    <>
      <div className={css.actions}>
        {ways.chat && (
          <button type="button" onClick={ways.chat}>
            <Chat20Regular aria-hidden />
            {t("contact.chat")}
          </button>
        )}
        {ways.call && (
          <button type="button" onClick={ways.call} {...ways.marks}>
            <Call20Regular aria-hidden />
            {t("call.call")}
          </button>
        )}
        {ways.video && (
          <button type="button" onClick={ways.video} {...ways.marks}>
            <Video20Regular aria-hidden />
            {t("call.video")}
          </button>
        )}
        {ways.mail && (
          <a href={`mailto:${ways.mail}`}>
            <Mail20Regular aria-hidden />
            {t("contact.mailTo")}
          </a>
        )}
        {!person.in_list && <AddMenu person={person} />}
        {person.custom && (
          <button type="button" onClick={() => setEditing(true)}>
            <Edit20Regular aria-hidden />
            {t("contact.edit")}
          </button>
        )}
        <Suspense fallback={null}>{editing && <ContactForm start={{ person }} onClose={() => setEditing(false)} />}</Suspense>
      </div>
      {ways.call && ways.barred && <p className={css.barred}>{ways.barred}</p>}
    </>
  );
}
