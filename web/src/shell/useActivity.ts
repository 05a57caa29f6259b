import { useEffect } from "react";

import { useEngine } from "../engine/hooks";

const IDLE_AFTER = 60_000;
const TELL_EVERY = 60_000;
const events = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"] as const;

/** Tell the engine whether the person is there, at most once a minute, and at once when they come back. */
export function useActivity(): void {
  const engine = useEngine();
  useEffect(() => {
    let last = Date.now();
    let idle = false;
    // Without a connection there is nobody to tell; the next minute tells it again.
    const tell = () => engine.reportActivity(Math.floor((Date.now() - last) / 1000)).catch(() => undefined);
    const active = () => {
      last = Date.now();
      if (idle) void tell();
      idle = false;
    };
    const timer = window.setInterval(() => {
      idle = Date.now() - last >= IDLE_AFTER;
      void tell();
    }, TELL_EVERY);
    void tell();
    for (const event of events) window.addEventListener(event, active, { passive: true });
    return () => {
      window.clearInterval(timer);
      for (const event of events) window.removeEventListener(event, active);
    };
  }, [engine]);
}
