/** The keys that work everywhere. */
import { useLayoutEffect } from "react";

import { useEngine } from "../engine/hooks";
import { go, readPlace } from "../engine/place";
import { sortChats } from "../chats/sortChats";

interface Actions {
  onHelp: () => void;
  onNewChat: () => void;
}

const PANES = "[data-pane]";
const PLACES = ["contacts", "chats", "calls", "settings"] as const;
/** A call that comes, or goes on elsewhere, is where F6 leads first. */
const CALL = "[data-pane='call']";

/** Move the focus to the next pane that is seen. */
function cyclePane(step: number): void {
  const panes = [...document.querySelectorAll<HTMLElement>(PANES)].filter((pane) => pane.offsetParent !== null);
  const at = panes.findIndex((pane) => pane.contains(document.activeElement));
  const call = panes.find((pane) => pane.matches(CALL));
  const pane = step > 0 && call && !document.activeElement?.closest(CALL) ? call : panes[(at + step + panes.length) % panes.length];
  const target = pane?.querySelector<HTMLElement>("[data-pane-focus], [aria-current='true'], input, textarea, a[href], button, [tabindex='0']");
  target?.focus();
}

const isWriting = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.matches("input, textarea, select") || target.isContentEditable);

export function useKeys({ onHelp, onNewChat }: Actions): void {
  const engine = useEngine();
  // Before the first paint: whoever sees the window may type.
  useLayoutEffect(() => {
    const mac = navigator.platform.startsWith("Mac");
    const search = () => document.getElementById("search")?.focus();
    const step = (by: number, unreadOnly: boolean) => {
      const here = readPlace(window.location.pathname);
      const chats = sortChats([...engine.store.state.conversations.values()]).filter((chat) => !unreadOnly || chat.unread > 0 || chat.id === here.id);
      const at = chats.findIndex((chat) => chat.id === here.id);
      const next = chats[at < 0 ? 0 : at + by];
      if (next) go("chats", next.id);
    };
    const handle = (event: KeyboardEvent): boolean => {
      const { key, code, shiftKey } = event;
      const control = event.ctrlKey || event.metaKey;
      const option = mac ? event.ctrlKey : event.altKey && !event.ctrlKey;
      if (key === "F6") cyclePane(shiftKey ? -1 : 1);
      else if (control && !shiftKey && key.toLowerCase() === "k") search();
      else if (control && shiftKey && /^Digit[1-4]$/.test(code)) go(PLACES[Number(code.slice(5)) - 1] ?? "chats");
      else if (option && (key === "ArrowUp" || key === "ArrowDown")) step(key === "ArrowUp" ? -1 : 1, shiftKey);
      else if (option && key.toLowerCase() === "c") onNewChat();
      else if (!isWriting(event.target) && !control && !event.altKey && key === "/") search();
      else if (!isWriting(event.target) && !control && !event.altKey && key === "?") onHelp();
      else return false;
      return true;
    };
    const listener = (event: KeyboardEvent) => {
      if (handle(event)) event.preventDefault();
    };
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, [engine, onHelp, onNewChat]);
}
