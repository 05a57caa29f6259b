/** Sentences for views: `t` for the page's own, `reason` for the engine's, and times in the person's habit. */
import { createContext, useContext, useMemo } from "react";
import type { IntlShape } from "react-intl";
import { useIntl } from "react-intl";

import { RefusedError } from "../engine/link";
import type { Reason } from "../wire";
import type { Language, MessageId } from "./catalogue";
import { languages } from "./catalogue";

export const LanguageContext = createContext<Language>(languages[0] as Language);

export type Values = Record<string, string | number>;

export interface Texts {
  language: Language;
  t: (id: MessageId, values?: Values) => string;
  reason: (reason: Reason | null | undefined) => string;
  /** What to say of a command that was not done. */
  refused: (error: unknown) => string;
  /** 10:42 */
  clock: (at: string | number) => string;
  /** 10:42:07 */
  precise: (at: string) => string;
  /** Today 10:42, Yesterday, Thu, 12 Nov: as short as the distance allows. */
  short: (at: string) => string;
  /** Today, Yesterday, Thursday 12 November. */
  day: (at: string) => string;
  /** Today 10:42, Yesterday 17:40, Thu 12 Nov 09:10. */
  moment: (at: string) => string;
  seconds: (seconds: number) => string;
  list: (items: readonly string[]) => string;
  number: (value: number) => string;
}

const DAY = 86_400_000;
const ISOLATE = "⁨";
const END = "⁩";

const startOfDay = (at: Date) => new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
/** Whole days between then and now, by the calendar. */
export const daysAgo = (at: Date, now: Date) => Math.round((startOfDay(now) - startOfDay(at)) / DAY);

type Parsed = Exclude<IntlShape["messages"][string], string>;

/** Arguments that a message counts with: they come as text from the engine. */
function numbersOf(elements: Parsed): string[] {
  return elements.flatMap((element) => ("options" in element && "offset" in element ? [element.value] : []));
}

function reasonText(intl: IntlShape, reason: Reason, isolate: (value: string) => string): string {
  const id = `reason:${reason.id}`;
  const message = intl.messages[id];
  if (!message) return [reason.id, ...Object.values(reason.values)].join(" · ");
  const counted = typeof message === "string" ? [] : numbersOf(message);
  const values = Object.entries(reason.values).map(([name, value]) => [name, counted.includes(name) ? Number(value) : isolate(value)]);
  return intl.formatMessage({ id }, Object.fromEntries(values) as Values);
}

function makeTexts(intl: IntlShape, language: Language): Texts {
  // Foreign names inside a sentence of the other direction must not reorder it.
  const isolate = (value: string) => (language.direction === "rtl" ? `${ISOLATE}${value}${END}` : value);
  const isolated = (values: Values) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeof value === "string" ? isolate(value) : value]));
  const t = (id: MessageId, values?: Values) => intl.formatMessage({ id }, values && isolated(values));
  const clock = (at: string | number) => intl.formatTime(new Date(at), { hour: "2-digit", minute: "2-digit" });
  const relativeDay = (at: Date, options: Intl.DateTimeFormatOptions) => {
    const days = daysAgo(at, new Date());
    if (days === 0) return t("time.today");
    return days === 1 ? t("time.yesterday") : intl.formatDate(at, options);
  };
  return {
    language,
    t,
    clock,
    precise: (at) => intl.formatTime(new Date(at), { hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    reason: (reason) => (reason ? reasonText(intl, reason, isolate) : ""),
    refused: (error) => (error instanceof RefusedError && error.reason ? reasonText(intl, error.reason, isolate) : t("link.lost")),
    short: (at) => {
      const days = daysAgo(new Date(at), new Date());
      if (days <= 0) return clock(at);
      if (days === 1) return t("time.yesterday");
      return intl.formatDate(at, days < 7 ? { weekday: "short" } : { day: "numeric", month: "short" });
    },
    day: (at) => relativeDay(new Date(at), { weekday: "long", day: "numeric", month: "long" }),
    moment: (at) => `${relativeDay(new Date(at), { weekday: "short", day: "numeric", month: "short" })} ${clock(at)}`,
    seconds: (seconds) => t("time.seconds", { seconds: intl.formatNumber(seconds, { maximumFractionDigits: seconds < 1 ? 2 : 1 }) }),
    list: (items) => intl.formatList([...items], { type: "conjunction" }),
    number: (value) => intl.formatNumber(value),
  };
}

export function useTexts(): Texts {
  const intl = useIntl();
  const language = useContext(LanguageContext);
  return useMemo(() => makeTexts(intl, language), [intl, language]);
}
