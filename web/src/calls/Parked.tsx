/** Where a parked call is got back: large, since it is told to somebody over a loudspeaker. */
import { Copy20Regular } from "@fluentui/react-icons";

import { useCopy } from "../parts/useCopy";
import { useTexts } from "../texts/texts";
import css from "./window.module.css";

export function Parked({ number }: { number: string }) {
  const { t } = useTexts();
  const copy = useCopy();
  return (
    <div className={css.parked} role="status">
      <p>{t("call.parked")}</p>
      <b dir="ltr">{number}</b>
      <button type="button" onClick={() => copy(number)}>
        <Copy20Regular aria-hidden />
        {t("copy")}
      </button>
      <p>{t("call.parked.help", { number })}</p>
    </div>
  );
}
