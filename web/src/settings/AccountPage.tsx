/** Who is signed in, and the ways out. */
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
      <div className={css.buttons}>
        <Button onClick={() => void engine.signOut(false)}>{t("signOut")}</Button>
        <Button onClick={() => setAsking(true)}>{t("signOut.forget")}</Button>
      </div>
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
