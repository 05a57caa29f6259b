/** The trace as a vertical line: what was typed, asked, answered and decided. */
import {
  BranchFork20Regular,
  CheckmarkCircle20Regular,
  ErrorCircle20Filled,
  Person20Regular,
  QuestionCircle20Regular,
} from "@fluentui/react-icons";

import { useTexts } from "../texts/texts";
import type { Entry } from "../wire";
import css from "./trace.module.css";

function Glyph({ entry }: { entry: Entry }) {
  if (entry.kind === "decided") return entry.outcome === "failed" ? <ErrorCircle20Filled /> : <BranchFork20Regular />;
  if (entry.kind === "typed") return <Person20Regular />;
  return entry.kind === "checked" && entry.outcome === "ok" ? <CheckmarkCircle20Regular /> : <QuestionCircle20Regular />;
}

function Line({ entry }: { entry: Entry }) {
  const texts = useTexts();
  const { t, reason } = texts;
  return (
    <li className={css.line} data-kind={entry.kind} data-outcome={entry.outcome}>
      <time>{texts.seconds(entry.at)}</time>
      <span className={css.node} aria-hidden>
        <Glyph entry={entry} />
      </span>
      <div className={css.what}>
        <p>
          <small>{t(`trace.${entry.kind}`)}</small>
          <b>{reason(entry.text)}</b>
        </p>
        {entry.question && (
          <p className={css.asked}>
            <code>{entry.question}</code>
            {entry.server && <span>{t("trace.from", { server: entry.server })}</span>}
          </p>
        )}
        {(entry.answer || entry.took !== null) && entry.kind !== "decided" && (
          <p className={css.answer}>
            {entry.answer && <small>{t("trace.answer")}</small>}
            {entry.answer && <bdi>{entry.answer}</bdi>}
            {entry.took !== null && <span>{texts.seconds(entry.took)}</span>}
          </p>
        )}
        {entry.reasons.map((because, at) => (
          <p key={at} className={css.because}>
            {reason(because)}
          </p>
        ))}
      </div>
    </li>
  );
}

export function TraceLines({ entries }: { entries: readonly Entry[] }) {
  return (
    <ol className={css.lines}>
      {entries.map((entry, at) => (
        <Line key={at} entry={entry} />
      ))}
    </ol>
  );
}
