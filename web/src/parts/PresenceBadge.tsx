/** A state's own shape, so that colour is never alone. */
import type { Presence } from "../wire";
import css from "./presence.module.css";

type Show = Presence["show"];

const filled: Partial<Record<Show, React.ReactNode>> = {
  available: <path d="M4 6.7 5.9 8.6 9.3 4.9" />,
  away: <path d="M6.5 3.7v3l1.9 1.4" />,
  dnd: <path d="M3.9 6.5h5.2" />,
  call: (
    <path
      className={css.solid}
      d="M4.6 3.4c.5-.3 1 0 1.2.5l.3.8c.1.3 0 .6-.2.8l-.4.3c.3.7.8 1.2 1.5 1.6l.4-.4c.2-.2.5-.2.8-.1l.8.4c.4.2.6.7.4 1.1-.4.8-1.2 1-2 .7C5.8 8.5 4.5 7.2 4 5.6c-.2-.9 0-1.7.6-2.2Z"
    />
  ),
  meeting: <path d="M3.9 5.2h5.2M3.9 7.8h5.2" />,
};
const open: Partial<Record<Show, React.ReactNode>> = {
  out: <path d="M8.7 6.5H4.6M6.2 4.7 4.4 6.5l1.8 1.8" />,
  offline: <path d="m5 5 3 3m0-3L5 8" />,
  unknown: <path d="M5.2 5.3c0-1.9 2.7-1.7 2.6-.1 0 1-1.3 1.1-1.3 2M6.5 8.9v.2" />,
};

export function PresenceBadge({ show, size = 13, label }: { show: Show; size?: number; label?: string }) {
  const ring = open[show];
  return (
    <svg
      viewBox="0 0 13 13"
      width={size}
      height={size}
      className={`${css.badge ?? ""} ${css[show] ?? ""}`}
      {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}
    >
      {ring ? (
        <g className={css.line}>
          <circle cx="6.5" cy="6.5" r="5.7" className={css.ground} />
          {ring}
        </g>
      ) : (
        <>
          {show === "meeting" ? <rect x=".5" y=".5" width="12" height="12" rx="3" /> : <circle cx="6.5" cy="6.5" r="6.2" />}
          <g className={css.glyph}>{filled[show]}</g>
        </>
      )}
    </svg>
  );
}
