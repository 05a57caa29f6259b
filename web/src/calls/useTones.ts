import { useEffect, useRef } from "react";

import { useSoftphone } from "../engine/hooks";
import { usePreferences } from "../engine/prefs";
import type { Call } from "../wire";
import { Claim } from "./claims";
import { playFailed, startRingback, startRinging } from "./sound";

/** The ring of a call that comes, in one window only; the tone of ringing at the other side; and of a call that failed. */
export function useTones(calls: readonly Call[]): void {
  const { rings } = usePreferences();
  const quiet = useSoftphone()?.do_not_disturb ?? false;
  const busy = calls.some((call) => call.state === "active");
  const ringing = rings && !quiet && calls.some((call) => call.state === "ringing_in" && call.here);
  useEffect(() => {
    if (!ringing) return undefined;
    let stop: (() => void) | null = null;
    const hush = () => {
      stop?.();
      stop = null;
    };
    const claim = new Claim("ringback-ring", () => (stop = startRinging(busy)), hush);
    claim.ask(false);
    return () => {
      claim.release();
      hush();
    };
  }, [ringing, busy]);

  const out = calls.some((call) => call.state === "ringing_out" && call.here && !call.early);
  useEffect(() => (out ? startRingback() : undefined), [out]);

  const before = useRef(new Map<string, Call["state"]>());
  useEffect(() => {
    for (const call of calls) {
      const was = before.current.get(call.id);
      const failed = call.state === "ended" && call.direction === "out" && call.answered === null && call.note !== null;
      if (failed && was !== undefined && was !== "ended") playFailed();
    }
    before.current = new Map(calls.map((call) => [call.id, call.state]));
  }, [calls]);
}
