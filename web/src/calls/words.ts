/** Calls in words: who, what is happening, how long. */
import type { MessageId } from "../texts/catalogue";
import type { Texts } from "../texts/texts";
import type { Call, Party, Quality, Recent } from "../wire";

export const partyName = (texts: Texts, party: Party): string => party.name || party.shown || party.number || party.uri || texts.t("call.unknown");

/** The number or address, where the name does not say it already. */
export const partyNumber = (party: Party): string => (party.name ? party.shown || party.number || party.uri : "");

/** What the call is called: the other side, or everybody in a conference. */
export function callName(texts: Texts, call: Call): string {
  if (!call.conference) return partyName(texts, call.party);
  const names = call.members.map((member) => partyName(texts, member));
  return names.length ? texts.list(names) : texts.t("call.conference");
}

/** 04:12, or 1:04:12. */
export function clockOf(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:` : ""}${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

export const secondsOf = (call: Call, now: number): number => (call.answered ? (now - Date.parse(call.answered)) / 1000 : 0);

/** 31 s, 4 min 12 s, 41 min, 1 h 4 min. */
export function lengthOf(texts: Texts, seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return texts.t("length.seconds", { seconds: whole });
  const minutes = Math.floor(whole / 60);
  if (minutes >= 10 && minutes < 60) return texts.t("length.wholeMinutes", { minutes });
  if (minutes < 60) return texts.t("length.minutes", { minutes, seconds: whole % 60 });
  return texts.t("length.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

/** The word under the name; empty where the running time says enough. */
export function stateOf(texts: Texts, call: Call): string {
  const { t, reason } = texts;
  switch (call.state) {
    case "dialling":
      return t("call.calling");
    case "ringing_out":
      return call.ringing > 1 ? t("call.ringing.devices", { count: call.ringing }) : t("call.ringing");
    case "ringing_in":
      return t("call.incoming");
    case "held":
      return t("call.held");
    case "ended":
      return reason(call.note) || t("call.ended");
    case "active":
      return call.held_by_other ? t("call.heldByOther", { name: partyName(texts, call.party) }) : "";
  }
}

export const wordOf = (texts: Texts, word: Quality["word"]): string => texts.t(`quality.${word}` satisfies MessageId);

const secureWords = { all: "secure.all", part: "secure.part", none: "secure.none" } as const satisfies Record<Call["secure"], MessageId>;
export const secureOf = (texts: Texts, call: Call): string => texts.t(secureWords[call.secure]);

/** A line of the list: what came of a call. */
export function resultOf(texts: Texts, recent: Recent, times: number): string {
  const { t } = texts;
  if (recent.result === "answered") {
    return t(recent.direction === "in" ? "recent.in" : "recent.out", { length: lengthOf(texts, recent.seconds) });
  }
  const result = t(`recent.${recent.result}`);
  return times > 1 ? t("recent.times", { result, count: times }) : result;
}

/** The heading of a past call's story. */
export function headingOf(texts: Texts, recent: Recent): string {
  const name = partyName(texts, recent.party);
  if (recent.direction === "out") return texts.t("recent.heading.out", { name });
  return texts.t(recent.result === "missed" ? "recent.heading.missed" : "recent.heading.in", { name });
}
