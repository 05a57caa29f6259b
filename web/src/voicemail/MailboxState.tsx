/** What is not as usual with the mailbox, where it is missed: no answer, an account that is wanted, nearly full. */
import { Button } from "@fluentui/react-button";
import { Field } from "@fluentui/react-field";
import { Input } from "@fluentui/react-input";
import type { FormEvent } from "react";
import { useState } from "react";

import { useEngine, useMailbox } from "../engine/hooks";
import { Notice } from "../parts/Notice";
import { WhyButton, WhyCard } from "../parts/Why";
import { useTexts } from "../texts/texts";
import type { Mailbox } from "../wire";
import css from "./voicemail.module.css";

/** The voicemail's own account, asked for once. */
function Account({ mailbox }: { mailbox: Mailbox }) {
  const { t, reason, refused } = useTexts();
  const { voicemail } = useEngine();
  const [user, setUser] = useState(mailbox.user);
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    voicemail.signIn(user, password).then(
      () => setPassword(""),
      (error: unknown) => setProblem(refused(error)),
    );
  };
  return (
    <form className={css.account} onSubmit={submit} aria-label={t("voicemail.account")}>
      <b>{t("voicemail.account")}</b>
      <p>{reason(mailbox.text)}</p>
      <Field label={t("voicemail.user")}>
        <Input value={user} onChange={(_, data) => setUser(data.value)} autoComplete="username" />
      </Field>
      <Field label={t("signin.password")} validationState={problem ? "error" : "none"} validationMessage={problem || undefined}>
        <Input type="password" value={password} onChange={(_, data) => setPassword(data.value)} autoComplete="current-password" />
      </Field>
      <Button type="submit" appearance="primary" disabledFocusable={!user.trim() || !password}>
        {t("signin.title")}
      </Button>
    </form>
  );
}

export function MailboxState() {
  const { t, reason, moment } = useTexts();
  const { voicemail } = useEngine();
  const mailbox = useMailbox();
  const [open, setOpen] = useState(false);
  if (!mailbox) return null;
  if (mailbox.asks) return <Account mailbox={mailbox} />;
  if (mailbox.state === "waiting" || mailbox.state === "failed") {
    return (
      <div className={css.state}>
        <Notice kind="warning" title={t("voicemail.away")} text={mailbox.looked ? t("voicemail.looked", { time: moment(mailbox.looked) }) : t("voicemail.kept")}>
          <Button size="small" onClick={() => void voicemail.look()}>
            {t("tryNow")}
          </Button>
          <WhyButton open={open} onToggle={() => setOpen(!open)} />
        </Notice>
        {open && <WhyCard title={t("place.voicemail")} lines={mailbox.reasons.map((one) => ({ source: mailbox.server, said: reason(one) }))} onClose={() => setOpen(false)} />}
      </div>
    );
  }
  if (mailbox.warned || !mailbox.may_send) {
    return (
      <div className={css.state}>
        <Notice kind="warning" title={t(mailbox.may_send ? "voicemail.nearlyFull" : "voicemail.full")} text={t("voicemail.full.help")} />
      </div>
    );
  }
  return null;
}
