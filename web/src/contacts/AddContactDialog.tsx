/** Into the contact list: by name from the directory, or by address. */
import { Button } from "@fluentui/react-button";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";
import { Field } from "@fluentui/react-field";
import { Input } from "@fluentui/react-input";
import { Select } from "@fluentui/react-select";
import { useState } from "react";

import chats from "../chats/chats.module.css";
import { useEngine, useGroups, useMe } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { useFindings } from "../search/useFindings";
import { useTexts } from "../texts/texts";
import { groupName } from "./groups";

export function AddContactDialog({ onClose }: { onClose: () => void }) {
  const texts = useTexts();
  const { t, refused } = texts;
  const engine = useEngine();
  const groups = useGroups();
  const me = useMe();
  const [query, setQuery] = useState("");
  const [group, setGroup] = useState("");
  const [problem, setProblem] = useState("");
  const wanted = query.trim();
  const isAddress = /^[^@\s]+@[^@\s]+$/u.test(wanted);
  const search = useFindings(wanted);
  const found = search.people.map((row) => row.person);
  const add = (id: string) => {
    engine.people.add(id, "", group ? [group] : []).then(onClose, (error: unknown) => setProblem(refused(error)));
  };
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && onClose()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{t("contact.add")}</DialogTitle>
          <DialogContent className={`${chats.tall ?? ""} ${chats.inDialog ?? ""}`}>
            <Field label={t("contact.addBy")} validationState={problem ? "error" : "none"} validationMessage={problem || undefined}>
              {/* eslint-disable-next-line jsx-a11y/no-autofocus -- the one thing to do in a dialog that was just opened */}
              <Input value={query} autoFocus autoComplete="off" onChange={(_, data) => setQuery(data.value)} />
            </Field>
            {groups.length > 0 && (
              <Field label={t("contact.group")}>
                <Select value={group} onChange={(_, data) => setGroup(data.value)}>
                  <option value="">{t("contacts.ungrouped")}</option>
                  {groups.map((name) => (
                    <option key={name} value={name}>
                      {groupName(texts, name)}
                    </option>
                  ))}
                </Select>
              </Field>
            )}
            <div className={chats.choices}>
              {found
                .filter((person) => person.id !== me?.id)
                .map((person) => (
                  <button key={person.id} type="button" disabled={person.in_list} onClick={() => add(person.id)}>
                    <Avatar person={person} size={36} />
                    <span>
                      <bdi>{person.name}</bdi>
                      <small>{person.in_list ? t("contact.inList") : [person.title, person.department].filter(Boolean).join(" · ") || person.id}</small>
                    </span>
                  </button>
                ))}
            </div>
          </DialogContent>
          <DialogActions>
            <Button onClick={onClose}>{t("cancel")}</Button>
            <Button appearance="primary" disabledFocusable={!isAddress} onClick={() => add(wanted)}>
              {isAddress ? t("contact.addAddress", { address: wanted }) : t("contact.addShort")}
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
