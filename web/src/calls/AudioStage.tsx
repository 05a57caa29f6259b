/** A call without pictures: who, the word of its state or how long, how loud they are, what else is on hold, the keys. */
import { KeepNumber } from "../contacts/KeepNumber";
import { usePerson } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { Keypad } from "./Keypad";
import type { MediaView } from "./media";
import { Members } from "./Members";
import { OtherCalls } from "./OtherCalls";
import { Parked } from "./Parked";
import { PartyFace } from "./PartyFace";
import { useSeconds } from "./useSeconds";
import { Wave } from "./Wave";
import css from "./window.module.css";
import { callName, clockOf, partyNumber, secondsOf, stateOf } from "./words";

export interface StageProps {
  call: Call;
  others: readonly Call[];
  media: MediaView;
  keypad: boolean;
  digits: string;
  onDigit: (digit: string) => void;
}

export function AudioStage({ call, others, media, keypad, digits, onDigit }: StageProps) {
  const texts = useTexts();
  const person = usePerson(call.party.person);
  const now = useSeconds(call.answered !== null && call.state !== "ended");
  const ringing = call.state === "ringing_out" || call.state === "dialling";
  const state = stateOf(texts, call);
  const about = [person?.title, person?.department].filter(Boolean).join(" · ");
  return (
    <div className={css.audio} data-keypad={keypad || undefined}>
      <div className={css.centre}>
        <div className={css.face} data-halo={ringing || undefined}>
          <PartyFace party={call.party} size={148} conference={call.conference} />
        </div>
        <h1>
          <bdi>{callName(texts, call)}</bdi>
        </h1>
        {!call.conference && <p>{about || <bdi>{partyNumber(call.party)}</bdi>}</p>}
        {!call.conference && about && partyNumber(call.party) && (
          <p className={css.quiet}>
            <bdi>{partyNumber(call.party)}</bdi>
          </p>
        )}
        {!call.conference && <KeepNumber party={call.party} className={css.keep} />}
        {state && !call.parked && (
          <p className={css.state} role="status">
            {state}
          </p>
        )}
        {call.answered && call.state !== "ended" && <p className={css.quiet}>{clockOf(secondsOf(call, now))}</p>}
        {call.state === "active" && <Wave stream={media.remote} />}
        {call.conference && <Members call={call} />}
        {call.parked && <Parked number={call.parked} />}
        <OtherCalls call={call} others={others} />
      </div>
      {keypad && call.state !== "ended" && <Keypad digits={digits} onDigit={onDigit} />}
    </div>
  );
}
