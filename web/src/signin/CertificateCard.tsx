/** A server's certificate that is not trusted: refusing is what Enter does; trusting it once is offered where it may be. */
import { ShieldError24Regular } from "@fluentui/react-icons";

import { useEngine } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import type { CertificateQuestion } from "../wire";
import css from "./card.module.css";
import { CertificateFacts } from "./CertificateFacts";
import { Button } from "./controls";

export function CertificateCard({ question }: { question: CertificateQuestion }) {
  const { t, reason } = useTexts();
  const engine = useEngine();
  const answer = (accept: boolean) => void engine.answerCertificate(question.fingerprint, accept);
  return (
    <section className={css.card} data-size="large" role="alertdialog" aria-labelledby="certificate-title" aria-describedby="certificate-why">
      <div className={css.body}>
        <div className={css.fault}>
          <span className={css.alarm} aria-hidden>
            <ShieldError24Regular />
          </span>
          <div>
            <h1 id="certificate-title">{t("certificate.title", { server: question.server })}</h1>
            <p className={css.lead} id="certificate-why">
              {reason(question.reason)}
            </p>
          </div>
        </div>
        <CertificateFacts question={question} />
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
        <p className={css.under}>{t(question.may_accept ? "certificate.accept.help" : "certificate.noAccept")}</p>
      </div>
    </section>
  );
}
