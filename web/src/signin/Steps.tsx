/** The progress: at most five lines in plain words, each with the real names being asked. */
import { CheckmarkCircle20Filled, Circle20Regular, ErrorCircle20Filled } from "@fluentui/react-icons";

import { useServices } from "../engine/hooks";
import { serviceName } from "../parts/serviceWords";
import { useTexts } from "../texts/texts";
import type { Step } from "../wire";
import css from "./card.module.css";
import { Busy } from "./controls";

function Glyph({ state }: { state: Step["state"] }) {
  if (state === "done") return <CheckmarkCircle20Filled />;
  if (state === "failed") return <ErrorCircle20Filled />;
  return state === "active" ? <Busy /> : <Circle20Regular />;
}

export function Steps({ steps }: { steps: readonly Step[] }) {
  const texts = useTexts();
  const services = useServices().filter((service) => service.state !== "off");
  return (
    <ol className={css.steps}>
      {steps.map((step) => (
        <li key={step.id} className={css.step} data-state={step.state} aria-current={step.state === "active" ? "step" : undefined}>
          <span className={css.glyph} aria-hidden>
            <Glyph state={step.state} />
          </span>
          <b>{texts.reason(step.text)}</b>
          {step.seconds !== null && step.state === "done" ? <time>{texts.seconds(step.seconds)}</time> : <span />}
          {step.names.length > 0 && (
            <span className={css.detail}>
              {step.names.map((name) => (
                <code key={name}>{name}</code>
              ))}
            </span>
          )}
          {step.id === "connecting" && step.state === "active" && services.length > 0 && (
            <span className={css.services}>
              {services.map((service) => (
                <span key={service.id} className={css.service} data-up={service.state === "up" || undefined}>
                  {serviceName(texts, service.id)}
                  <span className="sr-only">{texts.t(`service.state.${service.state}`)}</span>
                </span>
              ))}
            </span>
          )}
        </li>
      ))}
    </ol>
  );
}
