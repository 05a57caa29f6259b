/** What a certificate says beside what it should say, and beside the one that was accepted before. */
import { useIntl } from "react-intl";

import { useTexts } from "../texts/texts";
import type { CertificateQuestion } from "../wire";
import css from "./facts.module.css";

interface Fact {
  name: string;
  value: string;
  /** It is not what it should be. */
  wrong?: boolean;
  /** What it was in the certificate that was accepted before. */
  was?: string | undefined;
}

export function CertificateFacts({ question }: { question: CertificateQuestion }) {
  const { t, reason, list } = useTexts();
  const intl = useIntl();
  const date = (at: string) => intl.formatDate(at, { day: "numeric", month: "long", year: "numeric" });
  const { before, found, expected } = question;
  const differs = (was: string | undefined, now: string) => (was !== undefined && was !== now ? was : undefined);
  const facts: Fact[] = [
    { name: t("certificate.server"), value: question.server },
    { name: t("certificate.expected"), value: expected },
    { name: t("certificate.found"), value: found.length ? list(found) : t("certificate.none"), wrong: !found.includes(expected) },
    ...(question.subject ? [{ name: t("certificate.subject"), value: question.subject }] : []),
    { name: t("certificate.issuer"), value: question.issuer, was: differs(before?.issuer, question.issuer) },
    {
      name: t("certificate.valid"),
      value: t("certificate.range", { from: date(question.valid_from), until: date(question.valid_until) }),
      was: before ? differs(date(before.valid_until), date(question.valid_until)) : undefined,
    },
    { name: t("certificate.fingerprint"), value: question.fingerprint, was: differs(before?.fingerprint, question.fingerprint) },
  ];
  const why = question.why.map((one) => reason(one)).filter((one) => one !== reason(question.reason));
  return (
    <>
      {why.length > 0 && (
        <ul className={css.why}>
          {why.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
      )}
      {before && <p className={css.before}>{t("certificate.before.text", { date: date(before.accepted_at) })}</p>}
      <dl className={css.facts}>
        {facts.map(({ name, value, wrong, was }) => (
          <div key={name} data-differs={was !== undefined || wrong || undefined}>
            <dt>{name}</dt>
            <dd>
              <bdi>{value}</bdi>
              {was !== undefined && (
                <small>
                  <b>{t("certificate.differs")}</b> <bdi>{t("certificate.was", { value: was })}</bdi>
                </small>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}
