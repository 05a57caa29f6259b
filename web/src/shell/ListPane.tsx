/** The pane of a list. Where a narrow window shows nothing but it, it is the page's main part. */
import type { ReactNode } from "react";

import { useNarrow } from "../parts/useMedia";
import shell from "./shell.module.css";
import { Splitter } from "./Splitter";

interface Props {
  /** The id of its heading. */
  title: string;
  /** Nothing of it is open beside it. */
  alone: boolean;
  children: ReactNode;
}

export function ListPane({ title, alone, children }: Props) {
  const narrow = useNarrow();
  const Element = narrow && alone ? "main" : "section";
  return (
    <Element className={shell.list} aria-labelledby={title} data-pane="list">
      {children}
      {!narrow && <Splitter />}
    </Element>
  );
}
