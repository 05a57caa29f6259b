/** The story of a past call: how it was heard, what happened, and how to go on with that person. */
import { Button } from "@fluentui/react-button";
import { ArrowLeft20Regular, Call20Regular, Chat20Regular, Person20Regular, Video20Regular } from "@fluentui/react-icons";

import { KeepNumber } from "../contacts/KeepNumber";
import { useEngine, useFeatures, usePerson, useSoftphone } from "../engine/hooks";
import { go } from "../engine/place";
import { IconButton } from "../parts/IconButton";
import { useNarrow } from "../parts/useMedia";
import { useDialling } from "../people/useDialling";
import { useChatWith } from "../people/useWays";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Recent } from "../wire";
import css from "./calls.module.css";
import { deviceName } from "./DeviceCard";
import { Minute } from "./Minute";
import { PartyFace } from "./PartyFace";
import { Verdict } from "./QualityPanel";
import { headingOf, lengthOf, partyNumber } from "./words";

function Actions({ recent }: { recent: Recent }) {
  const { t } = useTexts();
  const engine = useEngine();
  const { can, marks } = useDialling();
  const features = useFeatures();
  const { party } = recent;
  const to = party.number || party.uri || party.person;
  const chatting = useChatWith(party.person);
  const chat = async () => go("chats", (await engine.openChat(party.person)).id);
  return (
    <div className={css.buttons}>
      {chatting && features?.chats && (
        <Button icon={<Chat20Regular />} onClick={() => void chat()}>
          {t("contact.chat")}
        </Button>
      )}
      {party.person && (
        <Button icon={<Person20Regular />} onClick={() => go("contacts", party.person)}>
          {t("contact.card")}
        </Button>
      )}
      <KeepNumber party={party} />
      {can && to && features?.video && (
        <Button {...marks} icon={<Video20Regular />} onClick={() => void engine.phone.start(to, true)}>
          {t("call.video")}
        </Button>
      )}
      {can && to && (
        <Button {...marks} appearance="primary" icon={<Call20Regular />} onClick={() => void engine.phone.start(to)}>
          {t(recent.direction === "in" ? "call.back" : "call.again")}
        </Button>
      )}
    </div>
  );
}

function Story({ recent }: { recent: Recent }) {
  const { t, reason, precise } = useTexts();
  if (!recent.story.length) return null;
  return (
    <section className={css.box} aria-label={t("recent.story")}>
      <h3>{t("recent.story")}</h3>
      <ol className={css.story}>
        {recent.story.map((line, at) => (
          <li key={at}>
            <time dateTime={line.at}>{precise(line.at)}</time>
            <i aria-hidden />
            <span>{reason(line.text)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

export function RecentDetail({ recent }: { recent: Recent }) {
  const texts = useTexts();
  const { t, moment, number } = texts;
  const narrow = useNarrow();
  // Alone in the window it is what the page is about.
  const Title = narrow ? "h1" : "h2";
  const person = usePerson(recent.party.person);
  const device = useSoftphone()?.devices.find((one) => one.id === recent.device);
  const heading = headingOf(texts, recent);
  const length = recent.result === "answered" ? lengthOf(texts, recent.seconds) : recent.direction === "out" ? t(`recent.${recent.result}`) : "";
  const facts = [moment(recent.at), length, recent.video ? t("recent.video") : "", partyNumber(recent.party), device && !device.softphone ? deviceName(texts, device) : ""];
  const { quality } = recent;
  const score = quality ? Math.min(...[quality.sending.score, quality.receiving.score].filter((one) => one > 0)) : Infinity;
  return (
    <main className={shell.main} id="main" tabIndex={-1} data-pane="main" aria-label={heading}>
      {narrow && (
        <div className={css.top}>
          <IconButton icon={<ArrowLeft20Regular className="flip" />} label={t("back")} onClick={() => go("calls")} />
        </div>
      )}
      <div className={css.scroll}>
        <article className={css.past}>
          <div className={css.who}>
            <PartyFace party={recent.party} size={64} presence />
            <div>
              <Title>{heading}</Title>
              <p>
                {facts.filter(Boolean).map((fact, at) => (
                  <span key={fact}>
                    {at > 0 && " · "}
                    <bdi>{fact}</bdi>
                  </span>
                ))}
              </p>
              {person?.title && <p>{[person.title, person.department].filter(Boolean).join(" · ")}</p>}
            </div>
            <Actions recent={recent} />
          </div>
          {quality?.verdict && (
            <section className={css.box} aria-label={t("quality.title")}>
              <Verdict plain quality={quality} {...(Number.isFinite(score) ? { score: t("quality.score", { score: number(Math.round(score * 10) / 10) }) } : {})} />
              <Minute losses={quality.receiving.minute} word={quality.receiving.word} label={t("quality.minute.last")} />
              {(quality.codec || quality.path) && <p className={css.facts}>{[quality.codec, quality.video_codec, quality.path].filter(Boolean).join(" · ")}</p>}
            </section>
          )}
          <Story recent={recent} />
        </article>
      </div>
    </main>
  );
}
