import { useLayoutEffect } from "react";

import { useEngine } from "../engine/hooks";
import { go } from "../engine/place";

/** Where the bare address leads: to the chats, or while there is none to the contacts, to see who is available. */
export function useLanding(): void {
  const { store } = useEngine();
  useLayoutEffect(() => {
    if (window.location.pathname === "/") go(store.state.conversations.size ? "chats" : "contacts", null, true);
  }, [store]);
}
