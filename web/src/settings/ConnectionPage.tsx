/** Where one is connected: every service with its server, its state, and why this one; the trace behind it. */
import { Button } from "@fluentui/react-button";
import { useState } from "react";

import { useEngine, useServices, useSignIn, useTrace } from "../engine/hooks";
import { useAnnounce } from "../parts/announce";
import { serviceName } from "../parts/serviceWords";
import { useCopy } from "../parts/useCopy";
import { WhyButton, WhyCard } from "../parts/Why";
import { makeReport, saveFile } from "../signin/report";
import { TraceLines } from "../signin/TraceLines";
import { useTexts } from "../texts/texts";
import type { Entry, Service } from "../wire";
import { Directories } from "./Directories";
import css from "./settings.module.css";
import { stateGlyphs } from "./stateGlyphs";
import { Whereabouts } from "./Whereabouts";

function ServiceRow({ service }: { service: Service }) {
  const texts = useTexts();
  const { t, reason, short } = texts;
  const [why, setWhy] = useState(false);
  const name = serviceName(texts, service.id);
  const state = t(`service.state.${service.state}`);
  const since = service.since ? t("service.since", { state, time: short(service.since) }) : state;
  return (
    <li data-state={service.state}>
      {stateGlyphs[service.state]}
      <b>{name}</b>
      <div>
        {service.server && <code>{service.server}</code>}
        <span>{reason(service.text) || since}</span>
      </div>
      {service.reasons.length > 0 && (
        <WhyButton open={why} onToggle={() => setWhy(!why)} label={service.state === "up" ? t("service.whyThis") : t("why")} />
      )}
      {why && (
        <WhyCard
          title={t("service.why", { service: name })}
          lines={service.reasons.map((one) => ({ said: reason(one) }))}
          onClose={() => setWhy(false)}
        />
      )}
    </li>
  );
}

export function ConnectionPage() {
  const texts = useTexts();
  const { t, refused } = texts;
  const engine = useEngine();
  const announce = useAnnounce();
  const services = useServices();
  const signIn = useSignIn();
  const live = useTrace();
  const copy = useCopy();
  const [asked, setAsked] = useState<readonly Entry[] | null>(null);
  const [open, setOpen] = useState(false);
  const trace = asked ?? live;
  const show = async () => {
    setOpen(!open);
    if (!open) setAsked(await engine.getTrace());
  };
  const fetched = async () => asked ?? (await engine.getTrace());
  return (
    <>
      <Whereabouts />
      <ul className={css.services}>
        {services.map((service) => (
          <ServiceRow key={service.id} service={service} />
        ))}
      </ul>
      <Directories />
      <div className={css.pair}>
        <section className={css.box}>
          <h3>{t("connection.found")}</h3>
          <p>{t("connection.found.text")}</p>
          <div className={css.buttons}>
            <Button aria-expanded={open} onClick={() => void show()}>
              {t(open ? "trace.hide" : "trace.show")}
            </Button>
            <Button onClick={() => void engine.refreshConfiguration().then(() => announce(t("config.refreshed")), (error: unknown) => announce(refused(error)))}>{t("config.refresh")}</Button>
          </div>
        </section>
        <section className={css.box}>
          <h3>{t("connection.wrong")}</h3>
          <p>{t("report.holds")}</p>
          <div className={css.buttons}>
            <Button onClick={() => void fetched().then((entries) => copy(makeReport(texts, signIn, entries)))}>{t("report.copy")}</Button>
            <Button onClick={() => void fetched().then((entries) => saveFile("ringback-trace.json", JSON.stringify({ trace: entries }, null, 2)))}>
              {t("trace.save")}
            </Button>
          </div>
        </section>
      </div>
      {open && (
        <section className={css.box} aria-label={t("trace.title")}>
          <TraceLines entries={trace} />
        </section>
      )}
    </>
  );
}
