/** The sign-in while it runs. Nothing is shown for the first 300 ms, for a warm start needs no screen. */
import { useEffect, useState } from "react";

import { useEngine } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { useTexts } from "../texts/texts";
import type { SignIn } from "../wire";
import css from "./card.module.css";
import { Button } from "./controls";
import { Steps } from "./Steps";

const WARM_START = 300;

export function ProgressCard({ signIn, onTrace }: { signIn: SignIn; onTrace: () => void }) {
  const { t } = useTexts();
  const engine = useEngine();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setShown(true), WARM_START);
    return () => window.clearTimeout(timer);
  }, []);
  if (!shown) return null;
  return (
    <section className={css.card} data-size="middle" aria-busy>
      <div className={css.body}>
        <div className={css.person}>
          <Avatar person={{ id: signIn.address, name: signIn.name || signIn.address }} size={48} />
          <div>
            <h1>{signIn.phase === "finding" ? t("signin.finding") : t("signin.connecting")}</h1>
            <p>{signIn.address}</p>
          </div>
        </div>
        <Steps steps={signIn.steps} />
        <div className={css.ends}>
          <button type="button" className={css.link} onClick={onTrace}>
            {t("signin.showSteps")}
          </button>
          <Button onClick={() => void engine.cancel()}>{t("cancel")}</Button>
        </div>
      </div>
    </section>
  );
}
