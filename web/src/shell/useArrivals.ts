/** What is done when a message comes: said to a screen reader, or shown by the system when the page is in the background. */
import { useEffect, useRef } from "react";

import { useEngine } from "../engine/hooks";
import type { Place } from "../engine/place";
import { go } from "../engine/place";
import { preferences } from "../engine/prefs";
import { useAnnounce } from "../parts/announce";
import { useTexts } from "../texts/texts";
import type { Message, MessagesChanged } from "../wire";

const SPOKEN = 120;

const inView = (place: Place, conversation: string) =>
  place.name === "chats" && place.id === conversation && !document.hidden && document.hasFocus();

function notify(message: Message, title: string, text: string): void {
  // One for each conversation: the tag replaces the one before.
  const shown = new Notification(title, { body: text, tag: message.conversation, icon: "/mark.svg" });
  shown.onclick = () => {
    window.focus();
    go("chats", message.conversation);
    shown.close();
  };
}

export function useArrivals(place: Place): void {
  const engine = useEngine();
  const announce = useAnnounce();
  const { t } = useTexts();
  const where = useRef(place);
  useEffect(() => {
    where.current = place;
  });
  useEffect(() => {
    const arrived = (event: MessagesChanged) => {
      const { state } = engine.store;
      const chat = state.conversations.get(event.conversation);
      const news = event.messages.filter((message) => !message.own && message.kind === "text");
      const last = news.at(-1);
      if (!last || chat?.muted) return;
      if (inView(where.current, event.conversation)) {
        const text = news.length > 1 ? t("arrived.several", { count: news.length, name: last.sender_name }) : `${last.sender_name}: ${last.body.slice(0, SPOKEN)}`;
        announce(text);
        return;
      }
      if (state.me?.presence.show === "dnd" || preferences().notifications === "off" || !("Notification" in window)) return;
      if (Notification.permission !== "granted") return;
      const title = chat?.kind === "room" ? t("arrived.room", { name: last.sender_name, room: chat.title }) : last.sender_name;
      notify(last, title, preferences().showText ? last.body : t("arrived.hidden"));
    };
    return engine.store.onArrival(arrived);
  }, [engine, announce, t]);
}
