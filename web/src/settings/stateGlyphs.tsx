/** A state of a service in a shape of its own: its colour is never alone. */
import { CheckmarkCircle20Filled, ErrorCircle20Filled, SubtractCircle20Regular, Warning20Filled } from "@fluentui/react-icons";
import { Spinner } from "@fluentui/react-spinner";

import type { Service } from "../wire";
import css from "./settings.module.css";

export const stateGlyphs: Record<Service["state"], React.ReactElement> = {
  up: <CheckmarkCircle20Filled aria-hidden className={css.up} />,
  connecting: <Spinner size="extra-tiny" aria-hidden />,
  waiting: <Warning20Filled aria-hidden className={css.waiting} />,
  failed: <ErrorCircle20Filled aria-hidden className={css.failed} />,
  off: <SubtractCircle20Regular aria-hidden />,
};
