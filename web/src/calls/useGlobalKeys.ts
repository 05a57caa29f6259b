import { useEffect, useRef } from "react";

import { useEngine } from "../engine/hooks";
import type { Call } from "../wire";
import { mainCall } from "./CallBar";

/** Alt Y answers, Alt N declines, Alt M mutes or unmutes, wherever the focus is. On a Mac with Ctrl in place of Alt. */
export function useGlobalKeys(calls: readonly Call[]): void {
  const { phone } = useEngine();
  const latest = useRef(calls);
  useEffect(() => {
    latest.current = calls;
  });
  useEffect(() => {
    const mac = navigator.platform.startsWith("Mac");
    const listener = (event: KeyboardEvent) => {
      const option = mac ? event.ctrlKey && !event.metaKey : event.altKey && !event.ctrlKey;
      if (!option || event.shiftKey) return;
      const ringing = latest.current.find((call) => call.state === "ringing_in");
      const current = mainCall(latest.current);
      const key = event.key.toLowerCase();
      if (key === "y" && ringing) void phone.answer(ringing.id);
      else if (key === "n" && ringing) void phone.decline(ringing.id);
      else if (key === "m" && current?.here) void phone.mute(current.id, !current.muted);
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, [phone]);
}
