import type { MessageId } from "../texts/catalogue";
import type { Texts } from "../texts/texts";
import type { Presence } from "../wire";

/** The name of a state: Available, Away, Do not disturb, ... */
export const showName = (texts: Texts, show: Presence["show"]): string => texts.t(`presence.${show}` satisfies MessageId);

/** Since or until when, where that helps: "for 14 min", "until 12:00", "Seen yesterday 17:40". */
export function presenceTime(texts: Texts, presence: Presence, now: number): string {
  const { show, since, until } = presence;
  if (until && (show === "dnd" || show === "meeting" || show === "out")) return texts.t("presence.until", { time: texts.short(until) });
  if (!since) return "";
  const minutes = Math.floor((now - Date.parse(since)) / 60_000);
  if (show === "away" && minutes >= 1) {
    return minutes < 60
      ? texts.t("presence.forMinutes", { count: minutes })
      : texts.t("presence.forHours", { count: Math.floor(minutes / 60) });
  }
  if (show === "call") return texts.t("presence.since", { time: texts.clock(since) });
  return show === "offline" ? texts.t("presence.seen", { time: texts.moment(since) }) : "";
}

/** All of it as one sentence, for accessible names and tooltips. */
export function presenceSentence(texts: Texts, presence: Presence): string {
  const parts = [showName(texts, presence.show), presenceTime(texts, presence, Date.now()), presence.status];
  // Some servers say the state again as its message.
  return [...new Set(parts)].filter(Boolean).join(" · ");
}
