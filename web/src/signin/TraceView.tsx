/** The whole trace, with a filter and the side panel for the IT department. */
import { ArrowClockwise20Regular, ArrowDownload20Regular, ArrowLeft20Regular, Copy20Regular } from "@fluentui/react-icons";
import { useState } from "react";

import { useEngine, useTrace } from "../engine/hooks";
import { Chips } from "../parts/Chips";
import { useCopy } from "../parts/useCopy";
import { useTexts } from "../texts/texts";
import type { SignIn } from "../wire";
import { Button, IconButton } from "./controls";
import { makeReport, saveFile } from "./report";
import css from "./trace.module.css";
import { TraceLines } from "./TraceLines";

export function TraceView({ signIn, onBack }: { signIn: SignIn; onBack: () => void }) {
  const texts = useTexts();
  const { t, reason } = texts;
  const engine = useEngine();
  const trace = useTrace();
  const copy = useCopy();
  const [shown, setShown] = useState<"all" | "decisions">("all");
  const entries = shown === "all" ? trace : trace.filter((entry) => entry.kind === "decided");
  const { fault } = signIn;
  const tryAgain = () => {
    onBack();
    void engine.tryAgain();
  };
  return (
    <section className={css.sheet}>
      <div className={css.main}>
        <header>
          <IconButton icon={<ArrowLeft20Regular className="flip" />} label={t("back")} onClick={onBack} />
          <h1>{t("trace.title")}</h1>
          <Chips
            label={t("filter")}
            chips={[
              { id: "all", text: t("trace.everything") },
              { id: "decisions", text: t("trace.decisions") },
            ]}
            chosen={shown}
            onChoose={setShown}
          />
        </header>
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a long trace is scrolled by keyboard */}
        <div className={css.scroll} tabIndex={0} role="region" aria-label={t("trace.title")}>
          {entries.length ? <TraceLines entries={entries} /> : <p className={css.none}>{t("trace.empty")}</p>}
        </div>
      </div>
      <aside className={css.side} aria-labelledby="it-department">
        <h2 id="it-department">{t("trace.forIt")}</h2>
        {fault ? <p>{reason(fault.do_then)}</p> : <p>{t("trace.noFault")}</p>}
        {fault?.change && <pre>{fault.change}</pre>}
        {fault?.change && (
          <Button icon={<Copy20Regular />} onClick={() => copy(fault.change)}>
            {t("trace.copyChange")}
          </Button>
        )}
        <Button icon={<Copy20Regular />} onClick={() => copy(makeReport(texts, signIn, trace))}>
          {t("report.copy")}
        </Button>
        <Button icon={<ArrowDownload20Regular />} onClick={() => saveFile("ringback-trace.json", JSON.stringify({ fault, trace }, null, 2))}>
          {t("trace.save")}
        </Button>
        <p className={css.small}>{t("report.holds")}</p>
        {signIn.phase === "failed" && (
          <Button kind="primary" large icon={<ArrowClockwise20Regular />} onClick={tryAgain}>
            {t("tryAgain")}
          </Button>
        )}
      </aside>
    </section>
  );
}
