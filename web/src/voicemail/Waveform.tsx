/** The shape of a sound as a slider: by pointer and by keys. It runs from left to right in every language. */
import type { KeyboardEvent, PointerEvent } from "react";

import { useTexts } from "../texts/texts";
import css from "./voicemail.module.css";
import { timeOf } from "./words";

const STEP = 5;
const LEAP = 10;

interface Props {
  peaks: readonly number[];
  seconds: number;
  at: number;
  onSeek: (seconds: number) => void;
  onToggle: () => void;
}

export function Waveform({ peaks, seconds, at, onSeek, onToggle }: Props) {
  const { t } = useTexts();
  const share = seconds ? at / seconds : 0;
  const point = (event: PointerEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    onSeek(((event.clientX - box.left) / box.width) * seconds);
  };
  const keys = (event: KeyboardEvent) => {
    const to: Readonly<Record<string, number>> = {
      ArrowLeft: at - STEP,
      ArrowDown: at - STEP,
      ArrowRight: at + STEP,
      ArrowUp: at + STEP,
      PageDown: at - LEAP,
      PageUp: at + LEAP,
      Home: 0,
      End: seconds,
    };
    const place = to[event.key];
    if (place !== undefined) onSeek(place);
    else if (event.key === " ") onToggle();
    else return;
    event.preventDefault();
  };
  return (
    <div className={css.wave} dir="ltr">
      <div
        className={css.bars}
        role="slider"
        tabIndex={0}
        aria-label={t("voicemail.position")}
        aria-valuemin={0}
        aria-valuemax={Math.round(seconds)}
        aria-valuenow={Math.round(at)}
        aria-valuetext={t("voicemail.position.of", { at: timeOf(at), length: timeOf(seconds) })}
        onKeyDown={keys}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          point(event);
        }}
        onPointerMove={(event) => event.currentTarget.hasPointerCapture(event.pointerId) && point(event)}
      >
        {peaks.map((peak, place) => (
          <i key={place} style={{ blockSize: `${Math.max(4, peak)}%` }} data-heard={place / peaks.length < share || undefined} />
        ))}
        <b style={{ insetInlineStart: `${share * 100}%` }} aria-hidden />
      </div>
      <div className={css.times} aria-hidden>
        <span>{timeOf(at)}</span>
        <span>{timeOf(seconds)}</span>
      </div>
    </div>
  );
}
