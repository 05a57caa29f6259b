/** What calls need wherever one is: sound, ringing, the cards of who calls, notifications, keys, and what is spoken. */
import { Dismiss20Regular, ErrorCircle20Filled, Info20Filled } from "@fluentui/react-icons";
import { useEffect } from "react";

import { useCalls, useCallsMissing, useEngine, usePhoneProblem } from "../engine/hooks";
import type { Place } from "../engine/place";
import { IconButton } from "../parts/IconButton";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { EndedCard, IncomingCard } from "./IncomingCard";
import css from "./incoming.module.css";
import { useAnnounceCalls } from "./useAnnounceCalls";
import { useCallNotifications } from "./useCallNotifications";
import { useEndings } from "./useEndings";
import { useGlobalKeys } from "./useGlobalKeys";
import { useHeadset } from "./useHeadset";
import { useMediaOwner } from "./useMediaView";
import { useTones } from "./useTones";

/** Sound and pictures follow the calls, and end with this window. */
function useFollow(calls: readonly Call[]): void {
  const media = useMediaOwner();
  useEffect(() => media.follow(calls), [media, calls]);
  useEffect(() => () => media.close(), [media]);
}

function Problem() {
  const { t, refused } = useTexts();
  const { phone } = useEngine();
  const problem = usePhoneProblem();
  // What is not to be had from here is no fault.
  const missing = useCallsMissing();
  if (!problem) return null;
  return (
    <section className={`${css.card ?? ""} ${css.problem ?? ""}`} data-calm={missing ? true : undefined} role="alert" data-call-card>
      {missing ? <Info20Filled aria-hidden /> : <ErrorCircle20Filled aria-hidden />}
      <p>{refused(problem)}</p>
      <IconButton icon={<Dismiss20Regular />} label={t("close")} onClick={phone.dismiss} />
    </section>
  );
}

export default function CallLayer({ place }: { place: Place }) {
  const calls = useCalls();
  const { phone } = useEngine();
  useFollow(calls);
  useEndings(calls, place);
  useTones(calls);
  useCallNotifications(calls);
  useAnnounceCalls(calls);
  useGlobalKeys(calls);
  useHeadset(calls);
  const ringing = calls.filter((call) => call.state === "ringing_in");
  const over = calls.filter((call) => call.state === "ended" && call.direction === "in" && call.answered === null && !phone.left.has(call.id));
  const busy = calls.some((call) => call.state === "active" || call.state === "dialling" || call.state === "ringing_out");
  const inWindow = place.name === "calls" && calls.some((call) => call.id === place.id && call.state !== "ringing_in");
  return (
    <div className={css.cards} data-full={(ringing.length > 0 && !busy) || undefined}>
      {ringing.map((call, at) => (
        <IncomingCard key={call.id} call={call} second={busy || at > 0} />
      ))}
      {over.map((call) => (
        <EndedCard key={call.id} call={call} />
      ))}
      {!inWindow && <Problem />}
    </div>
  );
}
