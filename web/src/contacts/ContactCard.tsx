/** All that is known of a person, with why the presence is what it is and where the facts come from. */
import {
  ArrowLeft20Regular,
  Building20Regular,
  Call20Regular,
  Chat20Regular,
  Info16Regular,
  Mail20Regular,
  Person20Regular,
  PersonAdd20Regular,
  Video20Regular,
} from "@fluentui/react-icons";
import { useEffect, useState } from "react";

import { useCanCall, useEngine, useFeatures, useLink, useMe, usePeople, usePerson } from "../engine/hooks";
import { go } from "../engine/place";
import { Avatar } from "../parts/Avatar";
import { Bones } from "../parts/Bones";
import { IconButton } from "../parts/IconButton";
import { Notice } from "../parts/Notice";
import { PresenceBadge } from "../parts/PresenceBadge";
import { PresenceWords } from "../parts/PresenceWords";
import { showName } from "../parts/presenceWords";
import { useNarrow } from "../parts/useMedia";
import { WhyButton, WhyCard } from "../parts/Why";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Person, PersonCard } from "../wire";
import { ContactMenu } from "./ContactMenu";
import { NumberList } from "./NumberList";
import css from "./contacts.module.css";

function useCard(id: string) {
  const engine = useEngine();
  const link = useLink();
  const { refused } = useTexts();
  const [card, setCard] = useState<PersonCard | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (!link.open) return undefined;
    let current = true;
    engine.people.card(id).then(
      (got) => {
        if (!current) return;
        setCard(got);
        setProblem("");
      },
      (error: unknown) => current && setProblem(refused(error)),
    );
    return () => {
      current = false;
    };
  }, [engine, id, link.open, refused]);
  return { card, problem };
}

function Actions({ person }: { person: Person }) {
  const { t } = useTexts();
  const engine = useEngine();
  const calls = useCanCall();
  const features = useFeatures();
  const chat = async () => go("chats", (await engine.openChat(person.id)).id);
  return (
    <div className={css.actions}>
      <button type="button" onClick={() => void chat()}>
        <Chat20Regular aria-hidden />
        {t("contact.chat")}
      </button>
      {calls && (
        <button type="button" onClick={() => void engine.phone.start(person.id)}>
          <Call20Regular aria-hidden />
          {t("call.call")}
        </button>
      )}
      {calls && features?.video && (
        <button type="button" onClick={() => void engine.phone.start(person.id, true)}>
          <Video20Regular aria-hidden />
          {t("call.video")}
        </button>
      )}
      {person.mail && (
        <a href={`mailto:${person.mail}`}>
          <Mail20Regular aria-hidden />
          {t("contact.mailTo")}
        </a>
      )}
      {!person.in_list && (
        <button type="button" onClick={() => void engine.people.add(person.id, person.name, [])}>
          <PersonAdd20Regular aria-hidden />
          {t("contact.addShort")}
        </button>
      )}
    </div>
  );
}

function Work({ person }: { person: Person }) {
  const { t } = useTexts();
  const me = useMe();
  // The directory names a manager by user name only.
  const manager = [...usePeople(), ...(me ? [me] : [])].find((one) => one.id.split("@")[0] === person.manager)?.name ?? person.manager;
  const facts = [
    { icon: <Building20Regular aria-hidden />, value: person.department, name: t("contact.department") },
    { icon: <Person20Regular aria-hidden />, value: manager, name: t("contact.manager") },
  ].filter((fact) => fact.value);
  if (!facts.length) return null;
  return (
    <section className={css.box} aria-label={t("contact.work")}>
      <h3>{t("contact.work")}</h3>
      <ul className={css.facts}>
        {facts.map((fact) => (
          <li key={fact.name}>
            {fact.icon}
            <div>
              <bdi>{fact.value}</bdi>
              <small>{fact.name}</small>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Sources({ card, source }: { card: PersonCard | null; source: string }) {
  const { t, reason } = useTexts();
  const [open, setOpen] = useState(false);
  const lines = (card?.sources ?? []).map((one) => ({ said: reason(one) }));
  if (!lines.length && !source) return null;
  return (
    <>
      <p className={css.source}>
        <Info16Regular aria-hidden />
        <span>{lines[0]?.said ?? source}</span>
        {lines.length > 1 && <WhyButton open={open} onToggle={() => setOpen(!open)} label={t("contact.whySources")} />}
      </p>
      {open && <WhyCard title={t("contact.whySources")} lines={lines} onClose={() => setOpen(false)} />}
    </>
  );
}

export function ContactCard({ id }: { id: string }) {
  const texts = useTexts();
  const { t, reason } = texts;
  const narrow = useNarrow();
  const { store } = useEngine();
  const { card, problem } = useCard(id);
  const known = usePerson(id);
  // What comes by itself is newer than what was asked once; only the asked one knows people who are not contacts.
  const person = known ? { ...card?.person, ...known } : card?.person;
  const [why, setWhy] = useState(false);
  const rooms = (card?.shared_rooms ?? []).map((room) => store.state.conversations.get(room)?.title ?? room);
  return (
    <main className={shell.main} id="main" tabIndex={-1} data-pane="main" aria-label={person?.name ?? t("place.contacts")}>
      {narrow && (
        <div className={css.top}>
          <IconButton icon={<ArrowLeft20Regular className="flip" />} label={t("back")} onClick={() => go("contacts")} />
        </div>
      )}
      <div className={css.scroll}>
        {!person && !problem && <Bones rows={3} />}
        {problem && <Notice kind={person ? "warning" : "bad"} title={t("contact.problem")} text={problem} />}
        {person && (
          <article className={css.card}>
            <div className={css.who}>
              <Avatar person={person} size={112} presence={person.presence} plain />
              <div className={css.names}>
                <h2>
                  <bdi>{person.name}</bdi>
                </h2>
                {person.title && <p>{[person.title, person.department].filter(Boolean).join(" · ")}</p>}
                <div className={css.presence}>
                  <PresenceBadge show={person.presence.show} size={14} />
                  <PresenceWords presence={person.presence} />
                  <WhyButton open={why} onToggle={() => setWhy(!why)} />
                </div>
                {person.blocked && <p className={css.blocked}>{t("contact.blocked")}</p>}
              </div>
              <ContactMenu person={person} />
            </div>
            <Actions person={person} />
            {why && (
              <WhyCard
                title={t("why.presence", { presence: showName(texts, person.presence.show) })}
                lines={person.presence.reasons.map((line) => ({ source: reason(line.source), said: reason(line.said), at: line.at }))}
                onClose={() => setWhy(false)}
              />
            )}
            <div className={css.boxes}>
              <section className={css.box} aria-label={t("contact.numbers")}>
                <h3>{t("contact.numbers")}</h3>
                <NumberList person={person} />
              </section>
              <Work person={person} />
            </div>
            {rooms.length > 0 && <p className={css.source}>{t("contact.rooms", { count: rooms.length, rooms: texts.list(rooms) })}</p>}
            <Sources card={card} source={person.source} />
          </article>
        )}
      </div>
    </main>
  );
}
