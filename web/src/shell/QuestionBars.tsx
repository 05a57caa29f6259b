/** What waits for the person while signed in: one line each above the place, so that nobody is torn out of writing or talking. */
import { Button } from "@fluentui/react-button";
import { Key20Regular, Settings20Regular, ShieldError20Regular } from "@fluentui/react-icons";
import type { ReactElement, ReactNode } from "react";
import { lazy, Suspense, useEffect, useState } from "react";

import { useCalls, useEngine, useQuestions } from "../engine/hooks";
import { serviceName } from "../parts/serviceWords";
import { WhyButton, WhyCard } from "../parts/Why";
import { useTexts } from "../texts/texts";
import type { CertificateQuestion, ConfigurationChange, SignInAgain } from "../wire";
import css from "./questions.module.css";
import { useQuietly } from "./useQuietly";

const AgainDialog = lazy(() => import("./AgainDialog"));
const CertificateDialog = lazy(() => import("./CertificateDialog"));

interface BarProps {
  icon: ReactElement;
  text: string;
  more?: string;
  bad?: boolean;
  children: ReactNode;
}

function Bar({ icon, text, more, bad, children }: BarProps) {
  return (
    <div className={css.bar} role="status" data-bad={bad || undefined}>
      {icon}
      <span>
        <b>{text}</b> {more}
      </span>
      <div>{children}</div>
    </div>
  );
}

function Again({ again }: { again: SignInAgain }) {
  const texts = useTexts();
  const { t, reason, list } = texts;
  const [open, setOpen] = useState(false);
  const waits = again.services.length ? t("again.waiting", { services: list(again.services.map((id) => serviceName(texts, id))) }) : "";
  return (
    <>
      <Bar icon={<Key20Regular aria-hidden />} text={reason(again.reason)} more={waits}>
        <Button size="small" appearance="primary" onClick={() => setOpen(true)}>
          {t("again.act")}
        </Button>
      </Bar>
      <Suspense fallback={null}>{open && <AgainDialog again={again} onClose={() => setOpen(false)} />}</Suspense>
    </>
  );
}

/** Signing out or deleting would end a call: it can wait until the last one is over. */
function useAfterCalls(act: () => unknown): { waits: boolean; busy: boolean; wait: () => void } {
  const busy = useCalls().some((call) => call.here && call.state !== "ended");
  const [waits, setWaits] = useState(false);
  useEffect(() => {
    if (!waits || busy) return;
    setWaits(false);
    act();
  }, [waits, busy, act]);
  return { waits, busy, wait: () => setWaits(true) };
}

function Configuration({ change }: { change: ConfigurationChange }) {
  const { t, reason } = useTexts();
  const engine = useEngine();
  const [why, setWhy] = useState(false);
  const apply = () => void engine.applyConfiguration();
  const { waits, busy, wait } = useAfterCalls(engine.applyConfiguration);
  const { effect } = change;
  const lines = [
    ...change.changes.map(({ name, was, now }) => t("config.line", { name, was: was || t("config.unset"), now: now || t("config.unset") })),
    ...change.reasons.map((one) => reason(one)),
  ];
  return (
    <>
      <Bar icon={<Settings20Regular aria-hidden />} text={t(`config.${effect}`)} more={waits ? t("config.waits") : ""}>
        {lines.length > 0 && <WhyButton open={why} onToggle={() => setWhy(!why)} label={t("config.what")} />}
        {effect === "told" ? (
          <Button size="small" onClick={apply}>
            {t("question.seen")}
          </Button>
        ) : (
          <>
            {busy && !waits && (
              <Button size="small" onClick={wait}>
                {t("config.afterCall")}
              </Button>
            )}
            <Button size="small" onClick={() => void engine.postponeConfiguration()}>
              {t("question.later")}
            </Button>
            <Button size="small" appearance="primary" onClick={apply}>
              {t(`config.act.${effect}`)}
            </Button>
          </>
        )}
      </Bar>
      {why && (
        <div className={css.why}>
          <WhyCard title={t("config.what")} lines={lines.map((said) => ({ said }))} onClose={() => setWhy(false)} />
        </div>
      )}
    </>
  );
}

function Certificate({ question }: { question: CertificateQuestion }) {
  const texts = useTexts();
  const { t } = texts;
  const [open, setOpen] = useState(false);
  const { server, service } = question;
  const text = service ? t("question.certificate", { service: serviceName(texts, service), server }) : t("question.certificate.plain", { server });
  return (
    <>
      <Bar icon={<ShieldError20Regular aria-hidden />} text={text} bad>
        <Button size="small" appearance="primary" onClick={() => setOpen(true)}>
          {t("question.look")}
        </Button>
      </Bar>
      <Suspense fallback={null}>{open && <CertificateDialog question={question} onClose={() => setOpen(false)} />}</Suspense>
    </>
  );
}

export function QuestionBars() {
  const { again, configuration, certificate } = useQuestions();
  useQuietly(again);
  return (
    <>
      {certificate && <Certificate key={certificate.fingerprint} question={certificate} />}
      {again && <Again again={again} />}
      {configuration && <Configuration change={configuration} />}
    </>
  );
}
