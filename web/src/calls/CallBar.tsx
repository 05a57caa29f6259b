/** The call in every other place: who, how long, and the three things one needs without going back. */
import { CallEnd20Filled, Mic20Regular, MicOff20Filled, Play20Filled } from "@fluentui/react-icons";

import { useCalls, useEngine } from "../engine/hooks";
import type { Place } from "../engine/place";
import { go } from "../engine/place";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import css from "./bar.module.css";
import { PartyFace } from "./PartyFace";
import { useSeconds } from "./useSeconds";
import { callName, clockOf, secondsOf, stateOf } from "./words";

/** The call that one is in: the one that is heard, else one that is made, else one on hold. */
export function mainCall(calls: readonly Call[]): Call | undefined {
  const states: Call["state"][] = ["active", "ringing_out", "dialling", "held"];
  return states.map((state) => calls.find((call) => call.state === state)).find(Boolean);
}

function Bar({ call, more }: { call: Call; more: number }) {
  const texts = useTexts();
  const { t } = texts;
  const { phone } = useEngine();
  const now = useSeconds(call.answered !== null);
  const name = callName(texts, call);
  const words = [stateOf(texts, call), call.answered ? clockOf(secondsOf(call, now)) : "", more ? t("calls.more", { count: more }) : ""].filter(Boolean).join(" · ");
  return (
    <div className={css.bar} role="region" aria-label={t("call.with", { name })} data-pane="call">
      <button type="button" className={css.who} onClick={() => go("calls", call.id)}>
        <PartyFace party={call.party} size={34} conference={call.conference} />
        <span>
          <b>
            <bdi>{name}</bdi>
          </b>
          <small>{words}</small>
        </span>
        <em>{t("call.return")}</em>
      </button>
      {call.state === "held" && (
        <button type="button" onClick={() => void phone.hold(call.id, false)}>
          <Play20Filled aria-hidden />
          <span>{t("call.resume")}</span>
        </button>
      )}
      {call.here && call.state !== "held" && (
        <button type="button" data-on={call.muted || undefined} aria-keyshortcuts="Alt+M" onClick={() => void phone.mute(call.id, !call.muted)}>
          {call.muted ? <MicOff20Filled aria-hidden /> : <Mic20Regular aria-hidden />}
          <span>{t(call.muted ? "call.unmute" : "call.mute")}</span>
        </button>
      )}
      <button type="button" data-end onClick={() => void phone.end(call.id)}>
        <CallEnd20Filled aria-hidden />
        <span>{t("call.end")}</span>
      </button>
    </div>
  );
}

export default function CallBar({ place }: { place: Place }) {
  const calls = useCalls().filter((call) => call.state !== "ended" && call.state !== "ringing_in");
  const call = mainCall(calls);
  if (!call || (place.name === "calls" && calls.some((one) => one.id === place.id))) return null;
  return <Bar call={call} more={calls.length - 1} />;
}
