/** Which avatar the pointer rests on, or the keyboard asked about: one listener for all of them, however many there are. */
import { useCallback, useEffect, useRef, useState } from "react";

const AVATAR = "[data-person]";
const CARD = "[data-person-card]";
const OPEN_AFTER = 500;
const CLOSE_AFTER = 250;

export interface Hover {
  id: string;
  anchor: HTMLElement;
  /** Asked for by a key: the card takes the focus, and gives it back. */
  by: "pointer" | "key";
}

/** The avatar that belongs to what has the focus: in it, or around it. */
function avatarAt(element: Element | null): HTMLElement | null {
  return element?.querySelector<HTMLElement>(AVATAR) ?? element?.closest<HTMLElement>(AVATAR) ?? null;
}

export function useHover(): { hover: Hover | null; close: () => void } {
  const [hover, setHover] = useState<Hover | null>(null);
  const timer = useRef(0);
  const shown = useRef<Hover | null>(null);
  const set = useCallback((next: Hover | null) => {
    window.clearTimeout(timer.current);
    shown.current = next;
    setHover(next);
  }, []);
  const close = useCallback(() => set(null), [set]);
  useEffect(() => {
    const later = (milliseconds: number, act: () => void) => {
      window.clearTimeout(timer.current);
      timer.current = window.setTimeout(act, milliseconds);
    };
    const show = (anchor: HTMLElement, by: Hover["by"]) => {
      const id = anchor.dataset.person;
      if (id && anchor.isConnected) set({ id, anchor, by });
    };
    const over = (event: PointerEvent) => {
      if (event.pointerType !== "mouse" || !(event.target instanceof Element)) return;
      const open = shown.current;
      const anchor = event.target.closest<HTMLElement>(AVATAR);
      if (event.target.closest(CARD) || (open && anchor === open.anchor)) window.clearTimeout(timer.current);
      else if (anchor) later(OPEN_AFTER, () => show(anchor, "pointer"));
      // One that a key opened stays until a key closes it.
      else if (open?.by === "pointer") later(CLOSE_AFTER, () => set(null));
      else window.clearTimeout(timer.current);
    };
    const key = (event: KeyboardEvent) => {
      if (event.key === "Escape" && shown.current) {
        const { anchor, by } = shown.current;
        set(null);
        if (by === "key") anchor.closest<HTMLElement>("a[href], button, [tabindex]")?.focus();
        event.stopPropagation();
      } else if (event.altKey && !event.ctrlKey && event.key.toLowerCase() === "i") {
        const anchor = avatarAt(document.activeElement);
        if (!anchor) return;
        event.preventDefault();
        show(anchor, "key");
        // Whoever writes or walks on by keys has done with it.
      } else if (shown.current?.by === "pointer" && !(event.target instanceof Element && event.target.closest(CARD))) set(null);
    };
    const away = (event: Event) => {
      if (!(event.target instanceof Element) || !event.target.closest(CARD)) set(null);
    };
    document.addEventListener("pointerover", over);
    document.addEventListener("pointerdown", away);
    document.addEventListener("wheel", away, { passive: true });
    document.addEventListener("keydown", key, true);
    return () => {
      window.clearTimeout(timer.current);
      document.removeEventListener("pointerover", over);
      document.removeEventListener("pointerdown", away);
      document.removeEventListener("wheel", away);
      document.removeEventListener("keydown", key, true);
    };
  }, [set]);
  return { hover, close };
}
