/** How a call is heard: one sentence, what is behind it for each direction, who can listen, and the details to copy. */
import {
  ArrowLeft20Regular,
  ArrowRight20Regular,
  CheckmarkCircle20Filled,
  ChevronDown20Regular,
  ChevronUp20Regular,
  Copy20Regular,
  Dismiss20Regular,
  ErrorCircle20Filled,
  Info20Regular,
  LockClosed16Filled,
  LockOpen16Filled,
  Warning20Filled,
} from "@fluentui/react-icons";
import type { ReactElement } from "react";
import { useState } from "react";

import { IconButton } from "../parts/IconButton";
import { useCopy } from "../parts/useCopy";
import type { Texts } from "../texts/texts";
import { useTexts } from "../texts/texts";
import type { Call, Heard, Quality } from "../wire";
import { Meter } from "./Meter";
import { Minute } from "./Minute";
import css from "./quality.module.css";
import { partyName, secureOf, wordOf } from "./words";

/** A size keeps its order in both directions. */
const LTR = "\u2066";
const END = "\u2069";

const glyphs: Record<Quality["word"], ReactElement> = {
  good: <CheckmarkCircle20Filled aria-hidden />,
  fair: <Warning20Filled aria-hidden />,
  poor: <ErrorCircle20Filled aria-hidden />,
  unknown: <Info20Regular aria-hidden />,
};

/** The sentence, its cause, and what would help. */
export function Verdict({ quality, score, plain = false }: { quality: Quality; score?: string; plain?: boolean }) {
  const { t, reason } = useTexts();
  return (
    <section className={css.verdict} data-word={quality.word} data-plain={plain || undefined}>
      {glyphs[quality.word]}
      <h3>{reason(quality.verdict) || t("quality.measuring")}</h3>
      {score && <small>{score}</small>}
      {(quality.cause || quality.remedy) && <p>{[reason(quality.cause), reason(quality.remedy)].filter(Boolean).join(" ")}</p>}
    </section>
  );
}

function numbers({ t, number }: Texts, heard: Heard, quality: Quality | null): string {
  if (heard.word === "unknown") return t("quality.measuring");
  const parts = [t("quality.loss", { loss: number(Math.round(heard.loss * 10) / 10) })];
  if (heard.delay) parts.push(t("quality.delay", { delay: number(Math.round(heard.delay)) }));
  if (quality?.resolution) parts.push(t("quality.picture", { resolution: `${LTR}${quality.resolution}${END}`, frames: Math.round(quality.frames) }));
  return parts.join(" ");
}

function Direction({ title, icon, heard, quality }: { title: string; icon: ReactElement; heard: Heard; quality: Quality | null }) {
  const texts = useTexts();
  return (
    <section className={css.box} data-word={heard.word}>
      <header>
        {icon}
        <h3>{title}</h3>
        <span className={css.word}>
          <Meter word={heard.word} />
          {wordOf(texts, heard.word)}
        </span>
      </header>
      <Minute losses={heard.minute} word={heard.word} label={texts.t("quality.minute")} />
      <p>{numbers(texts, heard, quality)}</p>
    </section>
  );
}

function Listeners({ call }: { call: Call }) {
  const texts = useTexts();
  const { t } = texts;
  const [first] = call.legs;
  const names: Readonly<Record<string, string>> = { page: t("you"), engine: "Ringback" };
  const nameOf = (end: string) => names[end] ?? end;
  return (
    <section className={css.box}>
      <header>
        <h3>{t("secure.title")}</h3>
      </header>
      {first && (
        <ol className={css.legs}>
          <li>
            <bdi>{nameOf(first.here)}</bdi>
          </li>
          {call.legs.map((leg) => (
            <li key={`${leg.here} ${leg.there}`} data-open={!leg.encrypted || undefined}>
              <span className={css.way} role="img" aria-label={t(leg.encrypted ? "secure.leg" : "secure.leg.open")} title={leg.how}>
                {leg.encrypted ? <LockClosed16Filled aria-hidden /> : <LockOpen16Filled aria-hidden />}
              </span>
              <bdi>{nameOf(leg.there)}</bdi>
            </li>
          ))}
        </ol>
      )}
      <p>
        {secureOf(texts, call)}. {t(`secure.help.${call.secure}`)}
      </p>
    </section>
  );
}

function Details({ quality }: { quality: Quality }) {
  const { t, reason } = useTexts();
  const copy = useCopy();
  const [open, setOpen] = useState(false);
  const rows = quality.details.map((detail) => [reason(detail.name), detail.value] as const);
  const short = [quality.codec, quality.video_codec, quality.path].filter(Boolean).join(" · ");
  if (!rows.length && !short) return null;
  return (
    <section className={css.details}>
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
        <b>{t("quality.details")}</b>
        <span dir="ltr">{short}</span>
        {open ? <ChevronUp20Regular aria-hidden /> : <ChevronDown20Regular aria-hidden />}
      </button>
      {open && (
        <>
          <dl>
            {rows.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd dir="ltr">{value}</dd>
              </div>
            ))}
          </dl>
          <IconButton icon={<Copy20Regular />} label={t("quality.copy")} onClick={() => copy(rows.map(([name, value]) => `${name}: ${value}`).join("\n"))} />
        </>
      )}
    </section>
  );
}

export function QualityPanel({ call, onClose }: { call: Call; onClose: () => void }) {
  const texts = useTexts();
  const { t } = texts;
  const { quality } = call;
  const name = partyName(texts, call.party);
  return (
    <aside className={css.panel} aria-label={t("quality.title")} data-pane="detail">
      <div className={css.head}>
        <h2>{t("quality.title")}</h2>
        <IconButton icon={<Dismiss20Regular />} label={t("close")} onClick={onClose} />
      </div>
      <div className={css.body}>
        <Verdict quality={quality} />
        <Direction title={t("quality.sending", { name })} icon={<ArrowRight20Regular className="flip" aria-hidden />} heard={quality.sending} quality={null} />
        <Direction title={t("quality.receiving", { name })} icon={<ArrowLeft20Regular className="flip" aria-hidden />} heard={quality.receiving} quality={quality} />
        <Listeners call={call} />
        <Details quality={quality} />
      </div>
    </aside>
  );
}
