/** The first card: the work address is enough. */
import { Dismiss16Regular } from "@fluentui/react-icons";
import type { FormEvent } from "react";
import { useState } from "react";

import { useEngine } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { useTexts } from "../texts/texts";
import type { SignIn } from "../wire";
import css from "./card.module.css";
import { Button, IconButton, TextField } from "./controls";

interface Props {
  signIn: SignIn;
  address: string;
  onAddress: (address: string) => void;
  onAdvanced: () => void;
}

export function AddressCard({ signIn, address, onAddress, onAdvanced }: Props) {
  const { t, refused } = useTexts();
  const engine = useEngine();
  const [problem, setProblem] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wanted = address.trim();
    // A set-up link from the IT department is taken in the same field.
    if (!/^(?:[^@\s]+@[^@\s]+|[a-z]+:\/\/\S+)$/iu.test(wanted)) {
      setProblem(wanted ? t("signin.address.incomplete", { example: "anita@example.com" }) : t("signin.address.missing"));
      return;
    }
    setProblem("");
    engine.findServices(wanted).catch((error: unknown) => setProblem(refused(error)));
  };
  return (
    <section className={css.card}>
      <div className={css.body}>
        <h1>{t("signin.title")}</h1>
        <p className={css.lead}>{t("signin.lead")}</p>
        <form className={css.form} onSubmit={submit} noValidate>
          <TextField
            label={t("signin.address")}
            hint={t("signin.address.hint")}
            problem={problem}
            type="text"
            inputMode="email"
            autoCapitalize="none"
            spellCheck={false}
            autoComplete="username"
            // eslint-disable-next-line jsx-a11y/no-autofocus -- the one thing to do here
            autoFocus
            dir="auto"
            value={address}
            onChange={(event) => onAddress(event.target.value)}
          />
          <Button kind="primary" large type="submit">
            {t("continue")}
          </Button>
          <div className={css.links}>
            <button type="button" className={css.link} onClick={onAdvanced}>
              {t("advanced")}
            </button>
          </div>
        </form>
      </div>
      {signIn.known.length > 0 && <Known signIn={signIn} onAddress={onAddress} />}
    </section>
  );
}

function Known({ signIn, onAddress }: { signIn: SignIn; onAddress: (address: string) => void }) {
  const { t, moment } = useTexts();
  const engine = useEngine();
  const use = (address: string, remembered: boolean) => {
    onAddress(address);
    void (remembered ? engine.useKnown(address) : engine.findServices(address));
  };
  return (
    <ul className={css.known} aria-label={t("signin.known")}>
      {signIn.known.map((account) => (
        <li key={account.address}>
          <Avatar person={{ id: account.address, name: account.name || account.address }} size={36} />
          <div className={css.who}>
            <b>{account.name || account.address}</b>
            <span>{account.last ? t("signin.known.last", { address: account.address, time: moment(account.last) }) : account.address}</span>
          </div>
          <Button onClick={() => use(account.address, account.remembered)} aria-label={t("signin.known.useNamed", { name: account.address })}>
            {t("signin.known.use")}
          </Button>
          <IconButton
            icon={<Dismiss16Regular />}
            label={t("signin.known.forget", { name: account.address })}
            onClick={() => void engine.forgetKnown(account.address)}
          />
        </li>
      ))}
    </ul>
  );
}
