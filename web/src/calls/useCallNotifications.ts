import { useEffect, useRef } from "react";

import { preferences } from "../engine/prefs";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { partyName, partyNumber } from "./words";

/** A call that comes while the page is in the background is shown by the system, for as long as it rings. */
export function useCallNotifications(calls: readonly Call[]): void {
  const texts = useTexts();
  const shown = useRef(new Map<string, Notification>());
  useEffect(() => {
    const ringing = calls.filter((call) => call.state === "ringing_in");
    for (const [id, notification] of shown.current) {
      if (ringing.some((call) => call.id === id)) continue;
      notification.close();
      shown.current.delete(id);
    }
    if (!("Notification" in window) || Notification.permission !== "granted" || preferences().notifications === "off") return;
    if (document.hasFocus() && !document.hidden) return;
    for (const call of ringing) {
      if (shown.current.has(call.id)) continue;
      const notification = new Notification(texts.t("incoming.from", { name: partyName(texts, call.party) }), {
        ...{ body: partyNumber(call.party), tag: `call-${call.id}`, icon: "/mark.svg", requireInteraction: true },
      });
      notification.onclick = () => {
        window.focus();
        notification.close();
      };
      shown.current.set(call.id, notification);
    }
  }, [calls, texts]);
  useEffect(() => {
    const { current } = shown;
    return () => current.forEach((notification) => notification.close());
  }, []);
}
