import { useEffect } from "react";

import { Claim } from "../calls/claims";
import { useCalls, useEngine } from "../engine/hooks";
import type { SignInAgain } from "../wire";

const IDLE = 30_000;
const LOOK_EVERY = 2000;
const signs = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"] as const;

/** Whether something is being written: it would be there again, but the focus would not. */
function writing(): boolean {
  const { activeElement } = document;
  return (activeElement instanceof HTMLInputElement || activeElement instanceof HTMLTextAreaElement) && activeElement.value !== "";
}

/** Where the browser may still be signed in at who asks: go there once without a question, while nobody needs the page. */
export function useQuietly(again: SignInAgain | null): void {
  const engine = useEngine();
  const busy = useCalls().some((call) => call.state !== "ended");
  const wanted = again !== null && again.asks === "browser" && again.quietly && !busy;
  useEffect(() => {
    if (!wanted) return undefined;
    let last = Date.now();
    const note = () => (last = Date.now());
    const go = () => {
      engine.beginBrowserSignIn(false, true).then(
        (url) => window.location.assign(url),
        // The host did not want it any more: another window was first, or it is asked openly now.
        () => undefined,
      );
    };
    // One window is enough.
    const claim = new Claim("ringback-quiet-sign-in", go, () => undefined);
    const timer = window.setInterval(() => {
      if (writing() || (!document.hidden && Date.now() - last < IDLE)) return;
      window.clearInterval(timer);
      claim.ask(false);
    }, LOOK_EVERY);
    for (const sign of signs) window.addEventListener(sign, note, { passive: true });
    return () => {
      window.clearInterval(timer);
      claim.release();
      for (const sign of signs) window.removeEventListener(sign, note);
    };
  }, [engine, wanted]);
}
