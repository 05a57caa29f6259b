/** A certificate that is not trusted, while signed in: the service waits for the answer, everything else goes on. */
import { Button } from "@fluentui/react-button";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";
import { useState } from "react";

import { useEngine } from "../engine/hooks";
import { CertificateFacts } from "../signin/CertificateFacts";
import { useTexts } from "../texts/texts";
import type { CertificateQuestion } from "../wire";
import css from "./questions.module.css";

export default function CertificateDialog({ question, onClose }: { question: CertificateQuestion; onClose: () => void }) {
  const { t, reason, refused } = useTexts();
  const engine = useEngine();
  const [problem, setProblem] = useState("");
  const answer = (accept: boolean) => engine.answerCertificate(question.fingerprint, accept).then(onClose, (error: unknown) => setProblem(refused(error)));
  return (
    <Dialog open modalType="alert" onOpenChange={(_, data) => !data.open && onClose()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{t("certificate.title", { server: question.server })}</DialogTitle>
          <DialogContent className={css.dialog}>
            <p>{reason(question.reason)}</p>
            <CertificateFacts question={question} />
            <small>{t(question.may_accept ? "certificate.accept.help" : "certificate.noAccept")}</small>
            {problem && (
              <p role="alert" className={css.wrong}>
                {problem}
              </p>
            )}
          </DialogContent>
          <DialogActions>
            {/* First in the order, since a dialog gives it the focus: refusing is the safe answer. */}
            <Button appearance="primary" onClick={() => void answer(false)}>
              {t("certificate.refuse")}
            </Button>
            {question.may_accept && <Button onClick={() => void answer(true)}>{t("certificate.accept")}</Button>}
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
