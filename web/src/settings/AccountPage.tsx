/** Who is signed in and how, and the ways out with what each of them leaves behind. */
import { Button } from "@fluentui/react-button";
import { useState } from "react";

import { useAppVersion, useEngine, useMe, useSignIn } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { ConfirmDialog } from "../parts/ConfirmDialog";
import { useTexts } from "../texts/texts";
import css from "./settings.module.css";

export function AccountPage() {
  const { t } = useTexts();
  const engine = useEngine();
  const me = useMe();
  const signIn = useSignIn();
  const version = useAppVersion();
  const [asking, setAsking] = useState(false);
  if (!me) return null;
  const deleted = [t("account.deletes.secrets"), t("account.deletes.history"), t("account.deletes.people"), t("account.deletes.trust")];
  return (
    <>
      <div className={`${css.box ?? ""} ${css.who ?? ""}`}>
        <Avatar person={me} size={64} presence={me.presence} />
        <div>
          <b>
            <bdi>{me.name}</bdi>
          </b>
          <span>{signIn?.address || me.id}</span>
          {me.title && <span>{me.title}</span>}
        </div>
      </div>
      {signIn?.who_asks && (
        <section className={css.box} aria-label={t("account.how")}>
          <h3>{t("account.how")}</h3>
          <dl className={css.facts}>
            <div>
              <dt>{t("account.method")}</dt>
              <dd>{t(signIn.asks === "browser" ? "account.method.browser" : "account.method.password")}</dd>
            </div>
            <div>
              <dt>{t("account.who")}</dt>
              <dd>
                <code>{signIn.who_asks}</code>
              </dd>
            </div>
          </dl>
        </section>
      )}
      <section className={css.box} aria-label={t("account.leave")}>
        <h3>{t("account.leave")}</h3>
        <p>{t("account.leave.text")}</p>
        <ul className={css.plain}>
          {deleted.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
        <div className={css.buttons}>
          <Button onClick={() => void engine.signOut(false)}>{t("signOut")}</Button>
          <Button onClick={() => setAsking(true)}>{t("signOut.forget")}</Button>
        </div>
      </section>
      {version && <p className={css.small}>{t("about.version", { version })}</p>}
      {asking && (
        <ConfirmDialog
          title={t("signOut.forget.ask")}
          text={t("signOut.forget.text")}
          yes={t("signOut.forget")}
          no={t("stay")}
          onClose={() => setAsking(false)}
          onDone={() => engine.signOut(true)}
        />
      )}
    </>
  );
}
