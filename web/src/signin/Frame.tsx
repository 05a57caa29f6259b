/** Around every card of the sign-in: the mark, the language, and the calm ground. */
import { LocalLanguage20Regular } from "@fluentui/react-icons";
import type { ReactNode } from "react";

import { setPreferences } from "../engine/prefs";
import { Mark } from "../parts/Mark";
import { SecurityBadge } from "../parts/SecurityBadge";
import { choosable } from "../texts/catalogue";
import { useTexts } from "../texts/texts";
import css from "./frame.module.css";

export function Frame({ children, wide = false }: { children: ReactNode; wide?: boolean }) {
  const { t, language } = useTexts();
  return (
    <div className={css.frame}>
      <svg className={css.watermark} viewBox="6 6 17 15" preserveAspectRatio="xMinYMin slice" aria-hidden>
        <path d="M8.2 15.8a7.9 7.9 0 1 0 15.6 0M13 8v5.6M19 8v5.6" />
      </svg>
      <header className={css.top}>
        <Mark size={32} />
        <span className={css.name}>Ringback</span>
        <label className={css.language}>
          <LocalLanguage20Regular aria-hidden />
          <span className="sr-only">{t("language")}</span>
          <select value={language.code} onChange={(event) => setPreferences({ language: event.target.value })}>
            {choosable.map((choice) => (
              <option key={choice.code} value={choice.code}>
                {choice.name}
              </option>
            ))}
          </select>
        </label>
      </header>
      <main className={css.main} data-wide={wide || undefined}>
        {children}
      </main>
      <footer className={css.foot}>
        <SecurityBadge /> {t("signin.nothingStored")}
      </footer>
    </div>
  );
}
