/** The list of contacts with its filters, and those who ask to see one's presence. */
import { Button } from "@fluentui/react-button";
import { ChevronDown16Regular, ChevronRight16Regular, People24Regular, PersonAdd20Regular, Search20Regular } from "@fluentui/react-icons";
import { Input } from "@fluentui/react-input";
import { useEffect, useMemo, useState } from "react";

import { useEngine, useFeatures, useGroups, useMe, usePeople, useServices } from "../engine/hooks";
import { setPreferences, usePreferences } from "../engine/prefs";
import { Bones } from "../parts/Bones";
import { Chips } from "../parts/Chips";
import { Empty } from "../parts/Empty";
import { IconButton } from "../parts/IconButton";
import { useArrowKeys } from "../parts/useArrowKeys";
import { Notice } from "../parts/Notice";
import { ListPane } from "../shell/ListPane";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Person, SearchResults } from "../wire";
import { AddContactDialog } from "./AddContactDialog";
import { ContactRow } from "./ContactRow";
import type { Group } from "./groups";
import { groupPeople, isAvailable } from "./groups";
import { Requests } from "./Requests";
import css from "./contacts.module.css";

type Filter = "list" | "available" | "directory";

function GroupSection({ group, open }: { group: Group; open: string | null }) {
  const { t } = useTexts();
  const { folded } = usePreferences();
  const key = group.favourite ? "*" : `g:${group.name}`;
  const name = group.favourite ? t("contacts.favourites") : group.name || t("contacts.ungrouped");
  const closed = folded.includes(key);
  const toggle = () => setPreferences({ folded: closed ? folded.filter((one) => one !== key) : [...folded, key] });
  return (
    <>
      <button type="button" className={shell.section} aria-expanded={!closed} onClick={toggle}>
        {closed ? <ChevronRight16Regular className="flip" aria-hidden /> : <ChevronDown16Regular aria-hidden />}
        <bdi>{name}</bdi>
        <span>{t("contacts.count", { available: group.available, all: group.people.length })}</span>
      </button>
      {!closed && group.people.map((person) => <ContactRow key={person.id} person={person} current={person.id === open} />)}
    </>
  );
}

function Directory({ open }: { open: string | null }) {
  const { t, reason, number, refused } = useTexts();
  const engine = useEngine();
  const me = useMe();
  const [query, setQuery] = useState("");
  const [answer, setAnswer] = useState<SearchResults | null>(null);
  const [failed, setFailed] = useState("");
  const wanted = query.trim();
  useEffect(() => {
    setFailed("");
    if (!wanted) {
      setAnswer(null);
      return undefined;
    }
    let current = true;
    const timer = window.setTimeout(() => {
      engine.people.search(wanted, 50).then(
        (results) => current && setAnswer(results),
        (error: unknown) => current && setFailed(refused(error)),
      );
    }, 120);
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [engine, wanted, refused]);
  const people = (answer?.people ?? []).filter((person) => person.id !== me?.id);
  return (
    <>
      <div className={css.find}>
        <Input
          value={query}
          onChange={(_, data) => setQuery(data.value)}
          contentBefore={<Search20Regular />}
          placeholder={t("directory.find")}
          aria-label={t("directory.find")}
        />
      </div>
      {(failed || answer?.problem) && <Notice kind="bad" title={t("directory.silent")} text={failed || reason(answer?.problem)} />}
      {wanted && !answer && !failed && <Bones rows={4} />}
      {people.map((person) => (
        <ContactRow key={person.id} person={person} current={person.id === open} />
      ))}
      {answer && !people.length && <p className={css.none}>{t("search.none", { query: wanted })}</p>}
      {answer && people.length > 0 && answer.total !== null && (
        <p className={css.none}>{t("search.count", { shown: people.length, total: number(answer.total) })}</p>
      )}
      {!wanted && <Empty icon={<Search20Regular />} title={t("directory.title")} help={t("directory.help")} />}
    </>
  );
}

function Listed({ people, open, onAdd }: { people: readonly Person[]; open: string | null; onAdd: () => void }) {
  const { t } = useTexts();
  const names = useGroups();
  const services = useServices();
  const groups = useMemo(() => groupPeople(people, names), [people, names]);
  const coming = services.some((service) => service.id === "contacts" && service.state === "connecting");
  if (groups.some((group) => group.people.length)) return groups.map((group) => <GroupSection key={`${String(group.favourite)}${group.name}`} group={group} open={open} />);
  if (coming) return <Bones />;
  return (
    <Empty
      icon={<People24Regular />}
      title={t("contacts.none")}
      help={t("contacts.none.help")}
      action={
        <Button appearance="primary" onClick={onAdd}>
          {t("contact.add")}
        </Button>
      }
    />
  );
}

export function ContactList({ open }: { open: string | null }) {
  const { t } = useTexts();
  const people = usePeople();
  const features = useFeatures();
  const [filter, setFilter] = useState<Filter>("list");
  const [adding, setAdding] = useState(false);
  const arrows = useArrowKeys<HTMLDivElement>();
  const available = useMemo(
    () => people.filter((person) => person.in_list && isAvailable(person)).sort((a, b) => a.name.localeCompare(b.name)),
    [people],
  );
  return (
    <ListPane title="contacts-title" alone={open === null}>
      <div className={shell.head}>
        <h1 id="contacts-title">{t("place.contacts")}</h1>
        <IconButton icon={<PersonAdd20Regular />} label={t("contact.add")} onClick={() => setAdding(true)} />
      </div>
      <Chips<Filter>
        label={t("filter")}
        chips={[
          { id: "list", text: t("contacts.list") },
          { id: "available", text: t("contacts.available"), count: available.length },
          ...(features?.directory ? [{ id: "directory" as const, text: t("contacts.directory") }] : []),
        ]}
        chosen={filter}
        onChoose={setFilter}
      />
      <div className={shell.scroll} {...(filter === "directory" ? {} : arrows)}>
        <Requests people={people} />
        {filter === "list" && <Listed people={people} open={open} onAdd={() => setAdding(true)} />}
        {filter === "available" && available.map((person) => <ContactRow key={person.id} person={person} current={person.id === open} />)}
        {filter === "available" && !available.length && <Empty icon={<People24Regular />} title={t("contacts.noneAvailable")} help={t("contacts.noneAvailable.help")} />}
        {filter === "directory" && <Directory open={open} />}
      </div>
      {adding && <AddContactDialog onClose={() => setAdding(false)} />}
    </ListPane>
  );
}
