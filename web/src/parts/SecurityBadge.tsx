/** The stricter modes that a company may ask for, with why; nothing in the usual one. */
import { ShieldLock16Regular } from "@fluentui/react-icons";

import { useSecurity } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import css from "./security.module.css";

export function SecurityBadge() {
  const { t, reason } = useTexts();
  const security = useSecurity();
  if (!security || security.mode === "usual") return null;
  const why = security.reasons.map((one) => reason(one)).join(" ");
  return (
    <span className={css.badge} title={why || undefined}>
      <ShieldLock16Regular aria-hidden />
      {t(`security.${security.mode}`)}
      {why && <span className="sr-only">. {why}</span>}
    </span>
  );
}
