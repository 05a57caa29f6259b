/** Choosing people: for a new chat, a new group, or to invite. */
import { Button } from "@fluentui/react-button";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";
import { Field } from "@fluentui/react-field";
import { Checkmark20Regular, Dismiss16Regular } from "@fluentui/react-icons";
import { Input } from "@fluentui/react-input";
import { useMemo, useState } from "react";

import { useMe, usePeople } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { presenceSentence } from "../parts/presenceWords";
import { canChat } from "../people/useWays";
import { useFindings } from "../search/useFindings";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";
import css from "./chats.module.css";

interface Props {
  title: string;
  action: string;
  without: readonly string[];
  /** Ask for a title of the group too, as soon as there are several. */
  named: boolean;
  least: number;
  onDone: (people: string[], title: string) => Promise<void>;
  onClose: () => void;
}

function usePeopleFound(query: string, without: readonly string[]): Person[] {
  const people = usePeople();
  const me = useMe();
  const search = useFindings(query);
  return useMemo(() => {
    const found = query
      ? search.people.map((row) => row.person)
      : people.filter((person) => person.in_list).sort((a, b) => a.name.localeCompare(b.name));
    return found.filter((person) => canChat(person) && person.id !== me?.id && !without.includes(person.id));
  }, [query, people, search.people, me, without]);
}

export function PeopleDialog({ title, action, without, named, least, onDone, onClose }: Props) {
  const texts = useTexts();
  const { t, refused } = texts;
  const [query, setQuery] = useState("");
  const [picked, setPicked] = useState<readonly Person[]>([]);
  const [name, setName] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const found = usePeopleFound(query.trim(), without);
  const isPicked = (person: Person) => picked.some((one) => one.id === person.id);
  const toggle = (person: Person) => {
    setPicked(isPicked(person) ? picked.filter((one) => one.id !== person.id) : [...picked, person]);
    setQuery("");
  };
  const group = named && picked.length + without.length > 1;
  const done = async () => {
    setBusy(true);
    setProblem("");
    try {
      await onDone(
        picked.map((person) => person.id),
        name.trim() || picked.map((person) => person.name.split(" ")[0]).join(", "),
      );
      onClose();
    } catch (error) {
      setProblem(refused(error));
      setBusy(false);
    }
  };
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && onClose()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{title}</DialogTitle>
          <DialogContent className={`${css.tall ?? ""} ${css.inDialog ?? ""}`}>
            {picked.length > 0 && (
              <div className={css.picked} role="group" aria-label={t("people.chosen")}>
                {picked.map((person) => (
                  <button key={person.id} type="button" onClick={() => toggle(person)} aria-label={t("people.takeOut", { name: person.name })}>
                    <Avatar person={person} size={22} />
                    <bdi>{person.name}</bdi>
                    <Dismiss16Regular aria-hidden />
                  </button>
                ))}
              </div>
            )}
            <Field label={t("people.find")}>
              {/* eslint-disable-next-line jsx-a11y/no-autofocus -- the one thing to do in a dialog that was just opened */}
              <Input value={query} onChange={(_, data) => setQuery(data.value)} autoFocus autoComplete="off" />
            </Field>
            <div className={css.choices} role="group" aria-label={t("search.people")}>
              {found.map((person) => (
                <button key={person.id} type="button" role="checkbox" aria-checked={isPicked(person)} onClick={() => toggle(person)}>
                  <Avatar person={person} size={36} presence={person.presence} />
                  <span>
                    <bdi>{person.name}</bdi>
                    <small>{[presenceSentence(texts, person.presence), person.title].filter(Boolean).join(" · ")}</small>
                  </span>
                  {isPicked(person) && <Checkmark20Regular aria-hidden />}
                </button>
              ))}
              {!found.length && <p>{t(query ? "people.none" : "people.type")}</p>}
            </div>
            {group && (
              <Field label={t("room.title")}>
                <Input value={name} maxLength={80} onChange={(_, data) => setName(data.value)} placeholder={picked.map((person) => person.name.split(" ")[0]).join(", ")} />
              </Field>
            )}
            {problem && (
              <p role="alert" className={css.problem}>
                {problem}
              </p>
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={onClose}>{t("cancel")}</Button>
            <Button appearance="primary" disabledFocusable={picked.length < least || busy} onClick={() => void done()}>
              {action}
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
