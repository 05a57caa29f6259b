import { useSyncExternalStore } from "react";

const MINUTE = 60_000;
const listeners = new Set<() => void>();
let timer = 0;

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  if (!timer) timer = window.setInterval(() => listeners.forEach((one) => one()), MINUTE);
  return () => {
    listeners.delete(listener);
    if (listeners.size) return;
    window.clearInterval(timer);
    timer = 0;
  };
};

/** The current minute in milliseconds: what says "for 14 min" paints again when it is 15. One timer serves all. */
export const useMinute = (): number => useSyncExternalStore(subscribe, () => Math.floor(Date.now() / MINUTE) * MINUTE);
