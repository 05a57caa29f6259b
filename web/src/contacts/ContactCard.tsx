/** All that is known of a person, with why the presence is what it is and where the facts come from. */
import { ArrowLeft20Regular } from "@fluentui/react-icons";
import { useEffect, useState } from "react";

import { useEngine, useLink, usePerson } from "../engine/hooks";
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
import { presenceOf } from "../people/presenceOf";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { PersonCard } from "../wire";
import { CardActions } from "./CardActions";
import { ContactMenu } from "./ContactMenu";
import { Lately } from "./Lately";
import { NumberList } from "./NumberList";
import { Sources } from "./Sources";
import { Work } from "./Work";
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

export function ContactCard({ id }: { id: string }) {
  const texts = useTexts();
  const { t, reason } = texts;
  const narrow = useNarrow();
  const { card, problem } = useCard(id);
  const known = usePerson(id);
  // What comes by itself is newer than what was asked once; only the asked one knows people who are not contacts.
  const person = known ? { ...card?.person, ...known } : card?.person;
  const [why, setWhy] = useState(false);
  return (
    <main className={shell.main} id="main" tabIndex={-1} data-pane="main" aria-label={person?.name ?? t("place.contacts")}>
      {narrow && (
        <div className={css.top}>
          {/* Alone in the window, the card is part of the place that its heading names. */}
          <h1 className="sr-only">{t("place.contacts")}</h1>
          <IconButton icon={<ArrowLeft20Regular className="flip" />} label={t("back")} onClick={() => go("contacts")} />
        </div>
      )}
      <div className={css.scroll}>
        {!person && !problem && <Bones rows={3} />}
        {problem && <Notice kind={person ? "warning" : "bad"} title={t("contact.problem")} text={problem} />}
        {person && (
          <article className={css.card}>
            <div className={css.who}>
              <Avatar person={person} size={112} presence={presenceOf(person)} plain />
              <div className={css.names}>
                <h2>
                  <bdi>{person.name}</bdi>
                </h2>
                {person.full_name && person.full_name !== person.name && <p>{t("contact.fullName", { name: person.full_name })}</p>}
                {person.title && <p>{[person.title, person.company || person.department, person.location].filter(Boolean).join(" · ")}</p>}
                {presenceOf(person) && (
                  <div className={css.presence}>
                    <PresenceBadge show={person.presence.show} size={14} />
                    <PresenceWords presence={person.presence} />
                    <WhyButton open={why} onToggle={() => setWhy(!why)} />
                  </div>
                )}
                {person.blocked && <p className={css.blocked}>{t("contact.blocked")}</p>}
              </div>
              <ContactMenu person={person} />
            </div>
            <CardActions person={person} />
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
            <Lately person={person} rooms={card?.shared_rooms ?? []} />
            <Sources card={card} source={person.source} />
          </article>
        )}
      </div>
    </main>
  );
}
