/** A server's certificate that is not trusted: whose, which name was expected, which was found, how long it is good. */
import { ShieldError24Regular } from "@fluentui/react-icons";

import { useIntl } from "react-intl";

import { useEngine } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import type { CertificateQuestion } from "../wire";
import css from "./card.module.css";
import { Button } from "./controls";

export function CertificateCard({ question }: { question: CertificateQuestion }) {
  const { t, reason, list } = useTexts();
  const intl = useIntl();
  const date = (at: string) => intl.formatDate(at, { day: "numeric", month: "long", year: "numeric" });
  const engine = useEngine();
  const answer = (accept: boolean) => void engine.answerCertificate(question.fingerprint, accept);
  const facts: [string, string][] = [
    [t("certificate.server"), question.server],
    [t("certificate.expected"), question.expected],
    [t("certificate.found"), list(question.found)],
    [t("certificate.issuer"), question.issuer],
    [t("certificate.valid"), t("certificate.range", { from: date(question.valid_from), until: date(question.valid_until) })],
    [t("certificate.fingerprint"), question.fingerprint],
  ];
  return (
    <section className={css.card} data-size="large" role="alertdialog" aria-labelledby="certificate-title">
      <div className={css.body}>
        <div className={css.fault}>
          <span className={css.alarm} aria-hidden>
            <ShieldError24Regular />
          </span>
          <div>
            <h1 id="certificate-title">{t("certificate.title", { server: question.server })}</h1>
            <p className={css.lead}>{reason(question.reason)}</p>
          </div>
        </div>
        <dl className={css.facts}>
          {facts.map(([name, value]) => [
            <dt key={name}>{name}</dt>,
            <dd key={`${name}:`}>
              <bdi>{value}</bdi>
            </dd>,
          ])}
        </dl>
        <div className={css.buttons}>
          {/* eslint-disable-next-line jsx-a11y/no-autofocus -- refusing is the safe answer */}
          <Button kind="primary" large onClick={() => answer(false)} autoFocus>
            {t("certificate.refuse")}
          </Button>
          {question.may_accept && (
            <Button large onClick={() => answer(true)}>
              {t("certificate.accept")}
            </Button>
          )}
        </div>
      </div>
    </section>
  );
}
