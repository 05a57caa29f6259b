import { useEffect, useRef } from "react";

import { useEngine } from "../engine/hooks";
import type { Place } from "../engine/place";
import type { Call } from "../wire";

/** Milliseconds that the end of a call stays in view: long enough to read why. */
const RANG = 3000;
const TALKED = 3000;
const WITH_NOTE = 10_000;
const PLAIN = 1500;

/** How long the end of a call is shown; null: until the person closes it. */
export function shownFor(call: Call): number | null {
  if (call.parked) return null;
  if (call.direction === "in" && call.answered === null) return RANG;
  if (call.answered !== null) return TALKED;
  return call.note ? WITH_NOTE : PLAIN;
}

/** Take calls that ended out of view after a while; at once where nobody looks at them. */
export function useEndings(calls: readonly Call[], place: Place): void {
  const { phone } = useEngine();
  const timers = useRef(new Map<string, number>());
  useEffect(() => {
    for (const call of calls) {
      if (call.state !== "ended" || timers.current.has(call.id)) continue;
      const wait = phone.left.has(call.id) && !call.parked ? 0 : shownFor(call);
      if (wait === null) continue;
      const forget = () => {
        timers.current.delete(call.id);
        phone.forget(call.id);
      };
      timers.current.set(call.id, window.setTimeout(forget, wait));
    }
    for (const [id, timer] of timers.current) {
      const call = calls.find((one) => one.id === id);
      const elsewhere = call !== undefined && call.direction === "out" && !(place.name === "calls" && place.id === id);
      if (call && !elsewhere) continue;
      window.clearTimeout(timer);
      timers.current.delete(id);
      if (elsewhere) phone.forget(id);
    }
  }, [calls, phone, place]);
  useEffect(() => {
    const { current } = timers;
    return () => current.forEach((timer) => window.clearTimeout(timer));
  }, []);
}
