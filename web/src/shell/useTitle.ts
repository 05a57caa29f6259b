import { useEffect } from "react";

import { useConversation, useConversations, usePerson } from "../engine/hooks";
import type { Place } from "../engine/place";
import { useTexts } from "../texts/texts";

interface BadgeNavigator {
  setAppBadge?: (count: number) => Promise<void>;
}

/** The window's title: unread conversations and where one is, as "(4) Priya Raman · Ringback". */
export function useTitle(place: Place): void {
  const { t } = useTexts();
  const conversation = useConversation(place.id ?? "");
  const person = usePerson(place.id ?? "");
  const unread = useConversations().filter((chat) => chat.unread > 0 && !chat.muted).length;
  const name = (place.name === "chats" ? conversation?.title : place.name === "contacts" ? person?.name : null) ?? t(`place.${place.name}`);
  useEffect(() => {
    document.title = `${unread ? `(${unread}) ` : ""}${name} · Ringback`;
    // Browsers that show no badge on an installed page say so by refusing: the title tells it all the same.
    (navigator as BadgeNavigator).setAppBadge?.(unread).catch(() => undefined);
  }, [name, unread]);
}
