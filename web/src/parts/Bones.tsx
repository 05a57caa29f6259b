/** Rows in the making: nothing for 300 ms, then the shape of what comes, so that nothing jumps. */
import { useEffect, useState } from "react";

import { useTexts } from "../texts/texts";
import css from "./states.module.css";

const WAIT = 300;

export function Bones({ rows = 6 }: { rows?: number }) {
  const { t } = useTexts();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setShown(true), WAIT);
    return () => window.clearTimeout(timer);
  }, []);
  if (!shown) return null;
  return (
    <div className={css.skeleton} role="status" aria-label={t("loading")}>
      {Array.from({ length: rows }, (_, at) => (
        <div key={at} className={css.bones}>
          <span className={`${css.bone ?? ""} ${css.face ?? ""}`} />
          <div>
            <div className={css.bone} style={{ inlineSize: `${60 + ((at * 17) % 30)}%` }} />
            <div className={`${css.bone ?? ""} ${css.small ?? ""}`} />
          </div>
        </div>
      ))}
    </div>
  );
}
