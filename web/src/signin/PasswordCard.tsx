/** The password, with the name of the host that will check it. */
import type { FormEvent } from "react";
import { useEffect, useRef, useState } from "react";

import { useEngine } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { useTexts } from "../texts/texts";
import type { SignIn } from "../wire";
import css from "./card.module.css";
import { Button, CheckField, TextField } from "./controls";

export function PasswordCard({ signIn, onTrace }: { signIn: SignIn; onTrace: () => void }) {
  const { t, reason, refused } = useTexts();
  const engine = useEngine();
  const [password, setPassword] = useState("");
  // It is asked for once the edge has refused the one that the address begins with.
  const [typed, setTyped] = useState<string | null>(null);
  const user = typed ?? signIn.user;
  const [remember, setRemember] = useState(false);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const wrong = reason(signIn.wrong_password);
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
    setBusy(false);
  }, [signIn.wrong_password]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    if (!password) {
      setProblem(t("signin.password.missing"));
      return;
    }
    setProblem("");
    setBusy(true);
    engine.signInWith(password, remember, user).catch((error: unknown) => {
      setBusy(false);
      setProblem(refused(error));
    });
  };
  return (
    <section className={css.card} data-size="password">
      <div className={css.body}>
        <div className={css.person}>
          <Avatar person={{ id: signIn.address, name: signIn.name || signIn.address }} size={48} />
          <div>
            <h1>{signIn.name || t("signin.password.title")}</h1>
            <p>{signIn.address}</p>
          </div>
        </div>
        <form className={css.form} onSubmit={submit} noValidate>
          {signIn.user ? (
            <TextField
              label={t("signin.user")}
              hint={t("signin.user.why", { user: signIn.user })}
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              value={user}
              onChange={(event) => setTyped(event.target.value)}
            />
          ) : (
            <input type="text" autoComplete="username" value={signIn.address} readOnly hidden />
          )}
          <TextField
            label={t("signin.password")}
            problem={problem || wrong}
            hint={signIn.who_asks ? t("signin.password.who", { host: signIn.who_asks }) : undefined}
            fieldRef={field}
            type="password"
            autoComplete="current-password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
          <CheckField checked={remember} onChange={(event) => setRemember(event.target.checked)} label={t("signin.remember")} />
          <Button kind="primary" large type="submit" aria-disabled={busy}>
            {t("signin.title")}
          </Button>
          <div className={css.links}>
            <button type="button" className={css.link} onClick={() => void engine.cancel()}>
              {t("signin.otherAddress")}
            </button>
            <button type="button" className={css.link} onClick={onTrace}>
              {t("signin.showSteps")}
            </button>
          </div>
        </form>
      </div>
    </section>
  );
}
