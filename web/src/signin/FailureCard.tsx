/** What failed, why, and what to do; the trace and the servers by hand one click away. */
import {
  ArrowClockwise20Regular,
  BranchFork20Regular,
  ChevronRight20Regular,
  Copy20Regular,
  PlugDisconnected24Regular,
  Server20Regular,
} from "@fluentui/react-icons";

import { useEngine, useTrace } from "../engine/hooks";
import { useCopy } from "../parts/useCopy";
import { useTexts } from "../texts/texts";
import type { SignIn } from "../wire";
import css from "./card.module.css";
import { Button } from "./controls";
import { makeReport } from "./report";

interface Props {
  signIn: SignIn;
  onTrace: () => void;
  onAdvanced: () => void;
}

export function FailureCard({ signIn, onTrace, onAdvanced }: Props) {
  const texts = useTexts();
  const { t, reason } = texts;
  const engine = useEngine();
  const trace = useTrace();
  const copy = useCopy();
  const { fault, suggestion } = signIn;
  const suggested = suggestion && (suggestion.includes("@") ? suggestion : `${signIn.address.split("@")[0] ?? ""}@${suggestion}`);
  return (
    <section className={css.card} data-size="middle" role="alert">
      <div className={css.body}>
        <div className={css.fault}>
          <span className={css.alarm} aria-hidden>
            <PlugDisconnected24Regular />
          </span>
          <h1>{fault ? reason(fault.what) : t("signin.failed")}</h1>
        </div>
        {fault && (
          <dl className={css.facts}>
            <dt>{t("fault.why")}</dt>
            <dd>{reason(fault.why)}</dd>
            <dt>{t("fault.do")}</dt>
            <dd>{reason(fault.do_first)}</dd>
          </dl>
        )}
        <div className={css.buttons}>
          {suggested ? (
            <Button kind="primary" large onClick={() => void engine.findServices(suggested)}>
              {t("signin.useSuggestion", { address: suggested })}
            </Button>
          ) : null}
          <Button
            kind={suggested ? "plain" : "primary"}
            large
            icon={<ArrowClockwise20Regular />}
            onClick={() => void engine.tryAgain()}
          >
            {t("tryAgain")}
          </Button>
          <Button large icon={<Copy20Regular />} onClick={() => copy(makeReport(texts, signIn, trace))}>
            {t("report.copy")}
          </Button>
          <button type="button" className={css.link} onClick={() => void engine.cancel()}>
            {t("signin.otherAddress")}
          </button>
        </div>
      </div>
      <div className={css.rows}>
        <button type="button" onClick={onTrace}>
          <BranchFork20Regular aria-hidden />
          <div>
            <b>{t("trace.show")}</b>
            <span>
              {t("trace.size", { questions: signIn.questions, decisions: signIn.decisions, seconds: texts.seconds(signIn.seconds) })}
            </span>
          </div>
          <ChevronRight20Regular className="flip" aria-hidden />
        </button>
        <button type="button" onClick={onAdvanced}>
          <Server20Regular aria-hidden />
          <div>
            <b>{t("advanced.byHand")}</b>
            <span>{t("advanced.byHand.hint")}</span>
          </div>
          <ChevronRight20Regular className="flip" aria-hidden />
        </button>
      </div>
    </section>
  );
}
