/** List and main pane beside each other, with a separator that can be dragged or moved by arrow keys. */
import type { CSSProperties, KeyboardEvent, PointerEvent, ReactNode } from "react";
import { useState } from "react";

import { setPreferences, usePreferences } from "../engine/prefs";
import { useTexts } from "../texts/texts";
import css from "./shell.module.css";

const SMALLEST = 260;
const LARGEST = 420;
const STANDARD = 332;
const STEP = 12;

const limit = (width: number) => Math.max(SMALLEST, Math.min(LARGEST, Math.round(width)));

export function Panes({ list, main, detail }: { list: ReactNode; main: ReactNode; detail?: ReactNode }) {
  const { t, language } = useTexts();
  const { listWidth } = usePreferences();
  const [dragged, setDragged] = useState<number | null>(null);
  const width = dragged ?? listWidth;
  const forward = language.direction === "rtl" ? -1 : 1;
  const drag = (event: PointerEvent<HTMLElement>) => {
    const box = event.currentTarget.parentElement?.getBoundingClientRect();
    if (!box || !event.currentTarget.hasPointerCapture(event.pointerId)) return;
    setDragged(limit(forward > 0 ? event.clientX - box.left : box.right - event.clientX));
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
    <div className={css.panes} data-detail={detail ? "" : undefined} style={{ "--list-width": `${width}px` } as CSSProperties}>
      {list}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- a separator with a value is a widget (ARIA 1.2) */}
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
      {main}
      {detail}
    </div>
  );
}
