/** Four bars: how many are full says what the word says. */
import type { Quality } from "../wire";
import css from "./quality.module.css";

const full: Record<Quality["word"], number> = { unknown: 0, poor: 1, fair: 3, good: 4 };
const heights = [5, 9, 12, 16];

export function Meter({ word }: { word: Quality["word"] }) {
  return (
    <span className={css.meter} aria-hidden>
      {heights.map((height, at) => (
        <i key={height} style={{ blockSize: height }} data-full={at < full[word] || undefined} />
      ))}
    </span>
  );
}
