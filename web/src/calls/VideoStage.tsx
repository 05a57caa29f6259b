/** A call with pictures: theirs large, one's own in the corner. */
import { useEffect, useRef } from "react";

import { useTexts } from "../texts/texts";
import type { StageProps } from "./AudioStage";
import { Keypad } from "./Keypad";
import { Members } from "./Members";
import { OtherCalls } from "./OtherCalls";
import { Parked } from "./Parked";
import { PartyFace } from "./PartyFace";
import css from "./window.module.css";
import { callName } from "./words";

function Picture({ stream, own = false, label }: { stream: MediaStream; own?: boolean; label: string }) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const { current } = element;
    if (current) current.srcObject = stream;
    return () => {
      if (current) current.srcObject = null;
    };
  }, [stream]);
  // The sound is played by the call's own element, which stays when this view is left.
  return <video ref={element} autoPlay playsInline muted aria-label={label} data-own={own || undefined} />;
}

export function VideoStage({ call, others, media, keypad, digits, onDigit }: StageProps) {
  const texts = useTexts();
  const { t } = texts;
  const name = callName(texts, call);
  const theirs = (call.video === "receiving" || call.video === "both") && media.remote?.getVideoTracks().length ? media.remote : null;
  return (
    <div className={css.pictures}>
      <div className={css.picture}>
        {theirs ? <Picture stream={theirs} label={t("call.picture", { name })} /> : <PartyFace party={call.party} size={148} conference={call.conference} />}
        <div className={css.name}>
          <bdi>{name}</bdi>
        </div>
        {media.camera && (
          <div className={css.self}>
            <Picture stream={media.camera} own label={t("call.picture.own")} />
          </div>
        )}
        {keypad && <Keypad digits={digits} onDigit={onDigit} />}
      </div>
      {call.conference && <Members call={call} />}
      {call.parked && <Parked number={call.parked} />}
      <OtherCalls call={call} others={others} />
    </div>
  );
}
