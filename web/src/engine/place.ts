/** Where in the page a person is, as the URL says it: reload, back and links work. */
import { useMemo, useSyncExternalStore } from "react";

export type PlaceName = "chats" | "contacts" | "calls" | "voicemail" | "settings";

export interface Place {
  name: PlaceName;
  /** A conversation, a person, a call, a past call, a voice message or a settings page; null: none chosen. */
  id: string | null;
}

const names: readonly string[] = ["chats", "contacts", "calls", "voicemail", "settings"];
const listeners = new Set<() => void>();
const tell = () => listeners.forEach((listener) => listener());

export function readPlace(path: string): Place {
  const [, name = "", id = ""] = path.split("/");
  const known = names.includes(name) ? (name as PlaceName) : "chats";
  return { name: known, id: id ? decodeURIComponent(id) : null };
}

/** The path of a place. */
export const placePath = (name: PlaceName, id?: string | null): string => (id ? `/${name}/${encodeURIComponent(id).replaceAll("%40", "@")}` : `/${name}`);

/** Go to a place; `replace` leaves no step for the back button. */
export function go(name: PlaceName, id?: string | null, replace = false): void {
  const url = placePath(name, id) + window.location.search;
  if (url === window.location.pathname + window.location.search) return;
  if (replace) window.history.replaceState(null, "", url);
  else window.history.pushState(null, "", url);
  tell();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
};

export function usePlace(): Place {
  const path = useSyncExternalStore(subscribe, () => window.location.pathname);
  return useMemo(() => readPlace(path), [path]);
}
