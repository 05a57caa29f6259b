/** Why the last session ended without one's own doing; above the card that begins the next one. */
import { Info20Filled } from "@fluentui/react-icons";

import { useTexts } from "../texts/texts";
import type { Reason } from "../wire";
import css from "./card.module.css";

export function SignedOut({ why }: { why: Reason }) {
  const { t, reason } = useTexts();
  return (
    <div className={css.signedOut} role="alert">
      <Info20Filled aria-hidden />
      <div>
        <b>{t("signin.signedOut")}</b>
        <p>{reason(why)}</p>
      </div>
    </div>
  );
}
