/** An empty place: a tile, one sentence, one sentence of help, and at most one action. */
import type { ReactElement, ReactNode } from "react";

import css from "./states.module.css";

export function Empty({ icon, title, help, action }: { icon: ReactElement; title: string; help: string; action?: ReactNode }) {
  return (
    <div className={css.empty}>
      <span className={css.tile} aria-hidden>
        {icon}
      </span>
      <h2>{title}</h2>
      <p>{help}</p>
      {action}
    </div>
  );
}
