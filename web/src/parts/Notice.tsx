/** A part that does not work, said where it is missed; the rest goes on. */
import { ErrorCircle20Filled, Warning20Filled } from "@fluentui/react-icons";
import type { ReactNode } from "react";

import css from "./states.module.css";

interface Props {
  kind: "bad" | "warning";
  title: string;
  text?: string;
  children?: ReactNode;
}

export function Notice({ kind, title, text, children }: Props) {
  return (
    <div className={css.notice} data-kind={kind} role={kind === "bad" ? "alert" : "status"}>
      {kind === "bad" ? <ErrorCircle20Filled aria-hidden /> : <Warning20Filled aria-hidden />}
      <b>{title}</b>
      {text && <p>{text}</p>}
      {children && <div>{children}</div>}
    </div>
  );
}
