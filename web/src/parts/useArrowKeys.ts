import type { FocusEvent, KeyboardEvent } from "react";
import { useEffect, useRef } from "react";

const ITEMS = "a[href], button:not([disabled])";

/** Make a list one stop for Tab: arrows, Home and End move inside it, and it remembers where one was. */
export function useArrowKeys<Element extends HTMLElement>() {
  const list = useRef<Element>(null);
  const items = () => [...(list.current?.querySelectorAll<HTMLElement>(ITEMS) ?? [])];
  const stopAt = (stop: HTMLElement | undefined) => {
    for (const item of items()) item.tabIndex = item === stop ? 0 : -1;
  };
  // Rows come and go with every change: there is always exactly one stop, the current row if there is one.
  useEffect(() => {
    const all = items();
    if (all.filter((item) => item.tabIndex === 0).length === 1) return;
    stopAt(all.find((item) => item.ariaCurrent === "true") ?? all[0]);
  });
  const onFocus = (event: FocusEvent) => {
    if (event.target instanceof HTMLElement && event.target.matches(ITEMS)) stopAt(event.target);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const all = items();
    const at = all.findIndex((item) => item === document.activeElement);
    const next = { ArrowDown: all[at + 1], ArrowUp: all[at - 1], Home: all[0], End: all.at(-1) }[event.key];
    if (at < 0 || !next) return;
    event.preventDefault();
    next.focus();
  };
  return { ref: list, onFocus, onKeyDown };
}
