/** List and main pane beside each other, and the detail pane where it is open. */
import type { CSSProperties, ReactNode } from "react";

import { usePreferences } from "../engine/prefs";
import css from "./shell.module.css";

export function Panes({ list, main, detail }: { list: ReactNode; main: ReactNode; detail?: ReactNode }) {
  const { listWidth } = usePreferences();
  return (
    <div className={css.panes} data-detail={detail ? "" : undefined} style={{ "--list-width": `${listWidth}px` } as CSSProperties}>
      {list}
      {main}
      {detail}
    </div>
  );
}
