import { useCallback, useEffect, useState } from "react";

import { useEngine } from "../engine/hooks";

/** Go where one is asked who one is, in this tab; `going` until the page is left, or shown again by the back button. */
export function useLeave(): { going: boolean; leave: (remember: boolean) => Promise<void> } {
  const engine = useEngine();
  const [going, setGoing] = useState(false);
  useEffect(() => {
    const shown = (event: PageTransitionEvent) => event.persisted && setGoing(false);
    window.addEventListener("pageshow", shown);
    return () => window.removeEventListener("pageshow", shown);
  }, []);
  const leave = useCallback(
    async (remember: boolean) => {
      setGoing(true);
      try {
        window.location.assign(await engine.beginBrowserSignIn(remember));
      } catch (error) {
        setGoing(false);
        throw error;
      }
    },
    [engine],
  );
  return { going, leave };
}
