/** One place that speaks to screen readers: polite by default, and short. */
import type { ReactNode } from "react";
import { createContext, useCallback, useContext, useRef, useState } from "react";

type Announce = (text: string, urgent?: boolean) => void;

const AnnounceContext = createContext<Announce>(() => undefined);
const CLEAR_AFTER = 6000;

export const useAnnounce = (): Announce => useContext(AnnounceContext);

export function Announcer({ children }: { children: ReactNode }) {
  const [polite, setPolite] = useState("");
  const [urgent, setUrgent] = useState("");
  const timer = useRef(0);
  const announce = useCallback<Announce>((text, now = false) => {
    (now ? setUrgent : setPolite)(text);
    window.clearTimeout(timer.current);
    // Emptied later, so that the same sentence is spoken again when it happens again.
    timer.current = window.setTimeout(() => {
      setPolite("");
      setUrgent("");
    }, CLEAR_AFTER);
  }, []);
  return (
    <AnnounceContext.Provider value={announce}>
      {children}
      <div className="sr-only" aria-live="polite">
        {polite}
      </div>
      <div className="sr-only" aria-live="assertive">
        {urgent}
      </div>
    </AnnounceContext.Provider>
  );
}
