/** What is done when a voice message comes: said to a screen reader, and shown by the system in the background. */
import { useEffect, useRef } from "react";

import { useEngine } from "../engine/hooks";
import type { Place } from "../engine/place";
import { go } from "../engine/place";
import { preferences } from "../engine/prefs";
import { useAnnounce } from "../parts/announce";
import { useTexts } from "../texts/texts";
import type { VoiceMessagesChanged } from "../wire";

export function useVoiceArrivals(place: Place): void {
  const engine = useEngine();
  const announce = useAnnounce();
  const { t } = useTexts();
  const where = useRef(place);
  useEffect(() => {
    where.current = place;
  });
  useEffect(() => {
    const arrived = (event: VoiceMessagesChanged) => {
      const { state } = engine.store;
      const last = event.messages.find((message) => message.id === event.arrived.at(-1));
      if (!last) return;
      const name = last.party.name || last.party.shown || last.party.number || t("call.unknown");
      const text = event.arrived.length > 1 ? t("voicemail.arrived.several", { count: event.arrived.length }) : t("voicemail.arrived", { name });
      announce(text);
      const looking = where.current.name === "voicemail" && !document.hidden && document.hasFocus();
      if (looking || state.me?.presence.show === "dnd" || preferences().notifications === "off" || !("Notification" in window)) return;
      if (Notification.permission !== "granted") return;
      const shown = new Notification(preferences().showText ? text : t("voicemail.arrived.hidden"), { tag: "voicemail", icon: "/mark.svg" });
      shown.onclick = () => {
        window.focus();
        go("voicemail", last.id);
        shown.close();
      };
    };
    return engine.store.onVoice(arrived);
  }, [engine, announce, t]);
}
