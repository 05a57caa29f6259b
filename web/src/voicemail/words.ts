/** Voice messages in words. */
import { clockOf, partyName } from "../calls/words";
import type { Texts } from "../texts/texts";
import type { VoiceMessage } from "../wire";

/** Who left it; of a sent one, who got it. */
export function whoOf(texts: Texts, message: VoiceMessage): string {
  if (message.folder !== "sent") return partyName(texts, message.party);
  const names = message.to.map((party) => partyName(texts, party));
  return names.length > 2 ? texts.t("voicemail.to.more", { name: names[0] ?? "", count: names.length - 1 }) : texts.list(names);
}

/** 0:42, or 1:04:12. */
export const timeOf = (seconds: number): string => clockOf(seconds).replace(/^0(?=\d:)/, "");

/** Heads of the list: today, the last days, earlier. */
export type Age = "today" | "week" | "earlier";

const DAY = 86_400_000;

export function ageOf(at: string, now: Date): Age {
  const when = new Date(at);
  if (when.toDateString() === now.toDateString()) return "today";
  return now.getTime() - when.getTime() < 7 * DAY ? "week" : "earlier";
}
