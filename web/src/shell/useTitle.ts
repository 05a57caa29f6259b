import { useEffect } from "react";

import { useCalls, useConversation, useConversations, useMailbox, usePerson, useSoftphone } from "../engine/hooks";
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
  const missed = useSoftphone()?.missed ?? 0;
  const calls = useCalls();
  const rings = calls.find((call) => call.state === "ringing_in");
  const active = calls.find((call) => call.state === "active");
  const who = (rings ?? active)?.party;
  const caller = who && (who.name || who.shown || who.number || who.uri || t("call.unknown"));
  const here = (place.name === "chats" ? conversation?.title : place.name === "contacts" ? person?.name : null) ?? t(`place.${place.name}`);
  const name = caller === undefined ? here : t(rings ? "incoming.from" : "call.with", { name: caller });
  const unheard = useMailbox()?.new ?? 0;
  const count = unread + missed + unheard;
  useEffect(() => {
    document.title = `${count ? `(${count}) ` : ""}${name} · Ringback`;
    // Browsers that show no badge on an installed page say so by refusing: the title tells it all the same.
    (navigator as BadgeNavigator).setAppBadge?.(count).catch(() => undefined);
  }, [name, count]);
}
