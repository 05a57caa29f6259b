import { useEffect, useRef } from "react";

import { useAnnounce } from "../parts/announce";
import type { Texts } from "../texts/texts";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { callName, partyName, stateOf } from "./words";

/** What a change of a call is to somebody who does not see it; empty: nothing worth saying. */
function changeOf(texts: Texts, call: Call, before: Call | undefined): string {
  const { t, reason } = texts;
  const name = callName(texts, call);
  // Said again where the number turns out to be somebody.
  if (call.state === "ringing_in") return before && before.party.person === call.party.person ? "" : t("incoming.announce", { name: partyName(texts, call.party) });
  if (call.state === "ended") return before && before.state !== "ended" ? [name, reason(call.note) || t("call.ended")].join(": ") : "";
  if (!before) return "";
  if (call.answered && !before.answered) return t("announce.connected", { name });
  if (call.muted !== before.muted) return t(call.muted ? "announce.muted" : "announce.unmuted");
  if (call.held_by_other && !before.held_by_other) return stateOf(texts, call);
  if (call.state !== before.state || call.held_by_other !== before.held_by_other) return [name, stateOf(texts, call) || t("call.active")].join(": ");
  if (call.conference && call.members.length !== before.members.length) return t("announce.members", { count: call.members.length });
  if (call.parked && !before.parked) return t("call.parked.help", { number: call.parked });
  if (call.quality.word !== before.quality.word && (call.quality.word !== "good" || before.quality.word !== "unknown")) return reason(call.quality.verdict);
  return "";
}

/** Say changes of calls to a screen reader: who calls at once, all else when there is a pause. */
export function useAnnounceCalls(calls: readonly Call[]): void {
  const texts = useTexts();
  const announce = useAnnounce();
  const before = useRef<Map<string, Call> | null>(null);
  useEffect(() => {
    const known = before.current;
    before.current = new Map(calls.map((call) => [call.id, call]));
    for (const call of calls) {
      if (!known && call.state !== "ringing_in") continue;
      const sentence = changeOf(texts, call, known?.get(call.id));
      if (sentence) announce(sentence, call.state === "ringing_in");
    }
  }, [calls, texts, announce]);
}
