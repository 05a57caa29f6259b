/** How loud the other side is. Still where movement is not wanted: it says nothing that can't be heard. */
import { useEffect, useRef } from "react";

import { watchLevel } from "./sound";
import css from "./window.module.css";

const shape = [8, 14, 22, 30, 18, 26, 40, 32, 44, 28, 36, 20, 30, 14, 22, 10, 16, 8];

export function Wave({ stream }: { stream: MediaStream | null }) {
  const bars = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!stream || window.matchMedia("(prefers-reduced-motion: reduce)").matches) return undefined;
    return watchLevel(stream, (level) => bars.current?.style.setProperty("--level", level.toFixed(2)));
  }, [stream]);
  return (
    <div className={css.wave} ref={bars} aria-hidden>
      {shape.map((height, at) => (
        <i key={at} style={{ blockSize: height }} />
      ))}
    </div>
  );
}
