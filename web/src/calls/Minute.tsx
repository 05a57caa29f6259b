/** Losses second by second as a line: time runs with the reading direction. */
import { useTexts } from "../texts/texts";
import type { Quality } from "../wire";
import css from "./quality.module.css";

const WIDTH = 330;
const HEIGHT = 56;
/** At least this much of 100 fills the height, so that a single lost packet does not look like a storm. */
const LEAST = 5;

export function Minute({ losses, word, label }: { losses: readonly number[]; word: Quality["word"]; label: string }) {
  const { number } = useTexts();
  if (losses.length < 2) return null;
  const most = Math.max(LEAST, ...losses);
  const points = losses.map((loss, at) => `${((at * WIDTH) / (losses.length - 1)).toFixed(1)} ${(HEIGHT - 4 - (loss / most) * (HEIGHT - 8)).toFixed(1)}`);
  const line = `M${points.join("L")}`;
  const latest = losses.at(-1) ?? 0;
  return (
    <figure className={css.minute} data-word={word}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" className="flip" role="img" aria-label={label}>
        <path d={`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} className={css.area} />
        <path d={line} className={css.line} />
      </svg>
      <figcaption>
        <span>{label}</span>
        <span>{number(Math.round(latest * 10) / 10)}</span>
      </figcaption>
    </figure>
  );
}
