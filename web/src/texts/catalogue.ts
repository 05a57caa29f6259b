/** The languages of the page and their catalogues, compiled at build; only the chosen one is loaded. */
import type { MessageFormatElement } from "@formatjs/icu-messageformat-parser";

import type english from "../messages/en.json";

export type MessageId = keyof typeof english;
export type Catalogue = Record<string, MessageFormatElement[]>;

export interface Language {
  code: string;
  /** Its name in itself. */
  name: string;
  direction: "ltr" | "rtl";
  load: () => Promise<{ default: Catalogue }>;
}

export const languages: readonly Language[] = [
  { code: "en", name: "English", direction: "ltr", load: () => import("virtual:messages/en") },
  { code: "de", name: "Deutsch", direction: "ltr", load: () => import("virtual:messages/de") },
  { code: "ar", name: "العربية", direction: "rtl", load: () => import("virtual:messages/ar") },
  { code: "en-XA", name: "Þšéûđö", direction: "ltr", load: () => import("virtual:messages/en-XA") },
];

/** The pseudo language is for finding what is cut, not for choosing. */
export const choosable = languages.filter((language) => language.code !== "en-XA");

const byCode = (code: string) => languages.find((language) => language.code === code);

/** The language asked for by the address, else chosen, else the browser's first that there is, else English. */
export function chooseLanguage(wanted: string | null, chosen: string, accepted: readonly string[]): Language {
  const candidates = [wanted ?? "", chosen, ...accepted.flatMap((code) => [code, code.split("-")[0] ?? ""])];
  for (const code of candidates) {
    const found = byCode(code);
    if (found) return found;
  }
  return languages[0] as Language;
}

/** The page's sentences in a language together with the engine's reasons that signing in may show. */
export async function loadFirst(language: Language): Promise<Catalogue> {
  const [own, reasons] = await Promise.all([language.load(), import("virtual:reasons/sign-in")]);
  return { ...reasons.default, ...own.default };
}

/** The engine's other reasons. */
export const loadLater = async (): Promise<Catalogue> => (await import("virtual:reasons/later")).default;
