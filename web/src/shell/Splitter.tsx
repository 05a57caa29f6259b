/** The edge of the list, which can be dragged, or moved by arrow keys. */
import type { KeyboardEvent, PointerEvent } from "react";
import { useState } from "react";

import { setPreferences, usePreferences } from "../engine/prefs";
import { useTexts } from "../texts/texts";
import css from "./shell.module.css";

const SMALLEST = 260;
const LARGEST = 420;
const STANDARD = 332;
const STEP = 12;

const limit = (width: number) => Math.max(SMALLEST, Math.min(LARGEST, Math.round(width)));

export function Splitter() {
  const { t, language } = useTexts();
  const { listWidth } = usePreferences();
  const [dragged, setDragged] = useState<number | null>(null);
  const width = dragged ?? listWidth;
  const forward = language.direction === "rtl" ? -1 : 1;
  const drag = (event: PointerEvent<HTMLElement>) => {
    const panes = event.currentTarget.offsetParent;
    const box = panes?.getBoundingClientRect();
    if (!box || !(panes instanceof HTMLElement) || !event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const wanted = limit(forward > 0 ? event.clientX - box.left : box.right - event.clientX);
    setDragged(wanted);
    panes.style.setProperty("--list-width", `${wanted}px`);
  };
  const drop = () => {
    if (dragged !== null) setPreferences({ listWidth: dragged });
    setDragged(null);
  };
  const key = (event: KeyboardEvent) => {
    const step = { ArrowRight: STEP, ArrowLeft: -STEP }[event.key];
    if (step) setPreferences({ listWidth: limit(width + step * forward) });
  };
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- a separator with a value is a widget (ARIA 1.2)
    <div
      className={css.splitter}
      role="separator"
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a separator that can be moved takes the focus
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={t("list.width")}
      aria-valuenow={width}
      aria-valuemin={SMALLEST}
      aria-valuemax={LARGEST}
      onKeyDown={key}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={drag}
      onPointerUp={drop}
      onDoubleClick={() => setPreferences({ listWidth: STANDARD })}
    />
  );
}
