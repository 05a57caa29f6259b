/** Who is signed in and how, and the ways out with what each of them leaves behind. */
import { Button } from "@fluentui/react-button";
import type { ReactNode } from "react";
import { useState } from "react";

import { useAccount, useAppVersion, useEngine, useMe, useSignIn } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { ConfirmDialog } from "../parts/ConfirmDialog";
import { SecurityBadge } from "../parts/SecurityBadge";
import { serviceName } from "../parts/serviceWords";
import { useTexts } from "../texts/texts";
import type { Account } from "../wire";
import css from "./settings.module.css";

function How({ account }: { account: Account }) {
  const texts = useTexts();
  const { t, moment, list } = texts;
  const facts: [string, ReactNode][] = [
    [t("account.method"), t(`account.method.${account.method}`)],
    ...(account.who_asks ? [[t("account.who"), <code key="who">{account.who_asks}</code>] satisfies [string, ReactNode]] : []),
    [t("account.since"), moment(account.since)],
    ...(account.until ? [[t("account.until"), moment(account.until)] satisfies [string, ReactNode]] : []),
    ...(account.services.length ? [[t("account.services"), list(account.services.map((id) => serviceName(texts, id)))] satisfies [string, ReactNode]] : []),
    [t("account.kept"), t(account.remembered ? "account.kept.yes" : "account.kept.no")],
  ];
  return (
    <section className={css.box} aria-label={t("account.how")}>
      <h3>{t("account.how")}</h3>
      <dl className={css.facts}>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function AccountPage() {
  const { t, reason } = useTexts();
  const engine = useEngine();
  const me = useMe();
  const signIn = useSignIn();
  const account = useAccount();
  const version = useAppVersion();
  const [asking, setAsking] = useState(false);
  if (!me) return null;
  const standard = [t("account.deletes.secrets"), t("account.deletes.history"), t("account.deletes.people"), t("account.deletes.trust")];
  const deleted = account?.kept.length ? account.kept.map((one) => reason(one)) : standard;
  return (
    <>
      <div className={`${css.box ?? ""} ${css.who ?? ""}`}>
        <Avatar person={me} size={64} presence={me.presence} plain />
        <div>
          <b>
            <bdi>{me.name}</bdi>
          </b>
          <span>{signIn?.address || me.id}</span>
          {me.title && <span>{me.title}</span>}
          <SecurityBadge />
        </div>
      </div>
      {account && <How account={account} />}
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
