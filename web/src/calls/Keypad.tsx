/** Tones in a call: by keys on the screen, or typed. */
import { useTexts } from "../texts/texts";
import { Dialpad } from "./Dialpad";
import css from "./window.module.css";

export function Keypad({ digits, onDigit }: { digits: string; onDigit: (digit: string) => void }) {
  const { t } = useTexts();
  return (
    <div className={css.keypad}>
      <output dir="ltr" aria-label={t("keypad.sent")}>
        {digits}
      </output>
      <Dialpad label={t("call.keypad")} onKey={onDigit} stage />
      <p>{t("keypad.typed")}</p>
    </div>
  );
}
