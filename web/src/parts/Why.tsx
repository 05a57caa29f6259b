/** The small "Why?" that every state has: it opens the reasons as a line of source, what it said, and when. */
import { BranchFork20Regular, Dismiss16Regular, QuestionCircle16Regular } from "@fluentui/react-icons";
import { useId } from "react";

import { useTexts } from "../texts/texts";
import { IconButton } from "./IconButton";
import css from "./why.module.css";

export interface WhyLine {
  source?: string;
  said: string;
  at?: string | null;
}

export function WhyButton({ open, onToggle, label }: { open: boolean; onToggle: () => void; label?: string }) {
  const { t } = useTexts();
  return (
    <button type="button" className={css.button} aria-expanded={open} onClick={onToggle}>
      <QuestionCircle16Regular aria-hidden />
      {label ?? t("why")}
    </button>
  );
}

export function WhyCard({ title, lines, onClose }: { title: string; lines: readonly WhyLine[]; onClose: () => void }) {
  const { t, moment } = useTexts();
  const id = useId();
  return (
    <section className={css.card} aria-labelledby={id}>
      <header>
        <BranchFork20Regular aria-hidden />
        <h3 id={id}>{title}</h3>
        <IconButton icon={<Dismiss16Regular />} label={t("close")} onClick={onClose} />
      </header>
      <ol>
        {lines.map((line, at) => (
          <li key={at}>
            {line.source && <span className={css.source}>{line.source}</span>}
            <span className={css.said}>{line.said}</span>
            {line.at && <time dateTime={line.at}>{moment(line.at)}</time>}
          </li>
        ))}
        {!lines.length && <li>{t("why.none")}</li>}
      </ol>
    </section>
  );
}
