/** Signing in again while one stays signed in: what was written stays, and a call goes on. */
import { Button } from "@fluentui/react-button";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";
import { Field } from "@fluentui/react-field";
import { Input } from "@fluentui/react-input";
import type { FormEvent } from "react";
import { useState } from "react";

import { useCalls, useEngine, useSignIn } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import type { SignInAgain } from "../wire";
import css from "./questions.module.css";

interface Props {
  again: SignInAgain;
  onClose: () => void;
}

function PasswordForm({ again, onClose }: Props) {
  const { t, reason, refused } = useTexts();
  const engine = useEngine();
  const signIn = useSignIn();
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const wrong = problem || reason(again.wrong_password);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!password) {
      setProblem(t("signin.password.missing"));
      return;
    }
    setProblem("");
    engine.signInWith(password, false).then(onClose, (error: unknown) => setProblem(refused(error)));
  };
  return (
    <form onSubmit={submit} noValidate>
      <DialogBody>
        <DialogTitle>{t("again.title")}</DialogTitle>
        <DialogContent className={css.dialog}>
          <p>{reason(again.reason)}</p>
          <input type="text" autoComplete="username" value={signIn?.address ?? ""} readOnly hidden />
          <Field
            label={t("signin.password")}
            hint={t("signin.password.who", { host: again.who_asks })}
            {...(wrong ? { validationState: "error" as const, validationMessage: wrong } : {})}
          >
            {/* eslint-disable-next-line jsx-a11y/no-autofocus -- the one thing to do here */}
            <Input type="password" autoComplete="current-password" autoFocus value={password} onChange={(_, data) => setPassword(data.value)} />
          </Field>
        </DialogContent>
        <DialogActions>
          <Button onClick={onClose}>{t("question.later")}</Button>
          <Button appearance="primary" type="submit">
            {t("again.act")}
          </Button>
        </DialogActions>
      </DialogBody>
    </form>
  );
}

function BrowserForm({ again, onClose }: Props) {
  const { t, reason, refused } = useTexts();
  const engine = useEngine();
  const [problem, setProblem] = useState("");
  const calling = useCalls().some((call) => call.here && call.state !== "ended");
  const host = again.who_asks;
  const go = async () => {
    // A call ends with its last page: it keeps this one.
    const url = await engine.beginBrowserSignIn(false);
    if (!calling) window.location.assign(url);
    else if (window.open(url, "_blank")) onClose();
    else setProblem(t("again.blocked"));
  };
  return (
    <DialogBody>
      <DialogTitle>{t("again.title")}</DialogTitle>
      <DialogContent className={css.dialog}>
        <p>{reason(again.reason)}</p>
        <p>{t(calling ? "again.browser.call" : "again.browser", { host })}</p>
        {problem && (
          <p role="alert" className={css.wrong}>
            {problem}
          </p>
        )}
      </DialogContent>
      <DialogActions>
        <Button onClick={onClose}>{t("question.later")}</Button>
        <Button appearance="primary" onClick={() => void go().catch((error: unknown) => setProblem(refused(error)))}>
          {t("signin.browser.go", { host })}
        </Button>
      </DialogActions>
    </DialogBody>
  );
}

export default function AgainDialog(props: Props) {
  const Form = props.again.asks === "browser" ? BrowserForm : PasswordForm;
  return (
    <Dialog open modalType="alert" onOpenChange={(_, data) => !data.open && props.onClose()}>
      <DialogSurface>
        <Form {...props} />
      </DialogSurface>
    </Dialog>
  );
}
