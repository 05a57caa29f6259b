/** Calls beside the one in view: swap with it, merge, or complete a transfer that was asked for. */
import { ArrowSwap20Regular, CallTransfer20Regular, Merge20Regular } from "@fluentui/react-icons";

import { useEngine } from "../engine/hooks";
import { go } from "../engine/place";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { PartyFace } from "./PartyFace";
import { useSeconds } from "./useSeconds";
import css from "./window.module.css";
import { callName, clockOf, secondsOf, stateOf } from "./words";

/** The call that is transferred, and the one that asks for it; null where neither asks for the other. */
export function consultation(one: Call, other: Call): { call: string; consult: string } | null {
  if (one.consults === other.id) return { call: other.id, consult: one.id };
  if (other.consults === one.id) return { call: one.id, consult: other.id };
  return null;
}

function Row({ call, other }: { call: Call; other: Call }) {
  const texts = useTexts();
  const { t } = texts;
  const { phone } = useEngine();
  const now = useSeconds(other.answered !== null);
  const asked = consultation(call, other);
  const swap = async () => {
    if (other.state === "held") await phone.hold(other.id, false);
    go("calls", other.id, true);
  };
  return (
    <li>
      <PartyFace party={other.party} size={32} conference={other.conference} />
      <div>
        <b>
          <bdi>{callName(texts, other)}</bdi>
        </b>
        <span>{[stateOf(texts, other), other.answered ? clockOf(secondsOf(other, now)) : ""].filter(Boolean).join(" · ")}</span>
      </div>
      <button type="button" onClick={() => void swap()}>
        <ArrowSwap20Regular aria-hidden />
        {t("call.swap")}
      </button>
      {(call.may.includes("merge") || other.may.includes("merge")) && call.answered && other.answered && (
        <button type="button" onClick={() => void phone.merge(call.id, other.id)}>
          <Merge20Regular className="flip" aria-hidden />
          {t("call.merge")}
        </button>
      )}
      {asked && (
        <button type="button" data-main onClick={() => void phone.complete(asked.call, asked.consult)}>
          <CallTransfer20Regular aria-hidden />
          {t("transfer.complete")}
        </button>
      )}
    </li>
  );
}

export function OtherCalls({ call, others }: { call: Call; others: readonly Call[] }) {
  const { t } = useTexts();
  if (!others.length || call.state === "ended") return null;
  return (
    <ul className={css.others} aria-label={t("calls.others")}>
      {others.map((other) => (
        <Row key={other.id} call={call} other={other} />
      ))}
    </ul>
  );
}
