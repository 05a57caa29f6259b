/** Somebody else asks who one is: who that is, that it happens in this tab, and why. */
import { ArrowRight20Regular } from "@fluentui/react-icons";
import { useState } from "react";

import { Avatar } from "../parts/Avatar";
import { useEngine } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import type { SignIn } from "../wire";
import css from "./card.module.css";
import { Button, CheckField } from "./controls";
import { useLeave } from "./useLeave";

export function BrowserCard({ signIn, onTrace }: { signIn: SignIn; onTrace: () => void }) {
  const { t, reason, refused } = useTexts();
  const engine = useEngine();
  const { going, leave } = useLeave();
  const [remember, setRemember] = useState(false);
  const [problem, setProblem] = useState("");
  const { fault, who_asks: host } = signIn;
  const said = problem || reason(signIn.wrong_password) || reason(fault?.what);
  const go = () => {
    if (going) return;
    setProblem("");
    leave(remember).catch((error: unknown) => setProblem(refused(error)));
  };
  return (
    <section className={css.card} data-size="password">
      <div className={css.body}>
        <div className={css.person}>
          <Avatar person={{ id: signIn.address, name: signIn.name || signIn.address }} size={48} />
          <div>
            <h1>{signIn.name || t("signin.browser.title")}</h1>
            <p>{signIn.address}</p>
          </div>
        </div>
        <div className={css.form}>
          <div className={css.asks}>
            <p>{t("signin.browser.lead", { host })}</p>
            <p className={css.quiet}>{t("signin.browser.password")}</p>
          </div>
          {said && (
            <div className={css.said} role="alert">
              <p>{said}</p>
              {!problem && fault && [fault.why, fault.do_first].map((one) => reason(one)).filter(Boolean).map((one) => <p key={one}>{one}</p>)}
            </div>
          )}
          <CheckField checked={remember} onChange={(event) => setRemember(event.target.checked)} label={t("signin.remember")} />
          {/* eslint-disable-next-line jsx-a11y/no-autofocus -- the one thing to do here */}
          <Button kind="primary" large icon={<ArrowRight20Regular className="flip" aria-hidden />} onClick={go} aria-disabled={going} autoFocus>
            {t(going ? "signin.browser.going" : "signin.browser.go", { host })}
          </Button>
          {signIn.why.length > 0 && (
            <details className={css.whyAsked}>
              <summary>{t("why")}</summary>
              <ol>
                {signIn.why.map((one, at) => (
                  <li key={at}>{reason(one)}</li>
                ))}
              </ol>
            </details>
          )}
          <div className={css.links}>
            <button type="button" className={css.link} onClick={() => void engine.cancel()}>
              {t("signin.otherAddress")}
            </button>
            <button type="button" className={css.link} onClick={onTrace}>
              {t("signin.showSteps")}
            </button>
          </div>
        </div>
      </div>
    </section>
  );
}
