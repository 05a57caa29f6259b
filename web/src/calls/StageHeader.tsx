/** Above the stage: who and how long, who can listen, how it is heard, full screen. */
import {
  ChevronDown20Regular,
  FullScreenMaximize20Regular,
  FullScreenMinimize20Regular,
  LockClosed16Filled,
  LockOpen16Filled,
} from "@fluentui/react-icons";
import type { RefObject } from "react";
import { useEffect, useState } from "react";

import { go } from "../engine/place";
import { useNarrow, usePhone as useSmall } from "../parts/useMedia";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { Meter } from "./Meter";
import { PartyFace } from "./PartyFace";
import { useSeconds } from "./useSeconds";
import css from "./window.module.css";
import { callName, clockOf, partyNumber, secondsOf, secureOf, stateOf, wordOf } from "./words";

function useFullScreen(stage: RefObject<HTMLElement | null>) {
  const [full, setFull] = useState(false);
  useEffect(() => {
    const changed = () => setFull(document.fullscreenElement !== null);
    document.addEventListener("fullscreenchange", changed);
    return () => document.removeEventListener("fullscreenchange", changed);
  }, []);
  const toggle = () => {
    // A browser that refuses leaves the window as it is, and there is nothing else to say.
    if (full) void document.exitFullscreen().catch(() => undefined);
    else void stage.current?.requestFullscreen().catch(() => undefined);
  };
  return { full, toggle };
}

interface Props {
  call: Call;
  stage: RefObject<HTMLElement | null>;
  pictures: boolean;
  quality: boolean;
  onQuality: () => void;
}

export function StageHeader({ call, stage, pictures, quality, onQuality }: Props) {
  const texts = useTexts();
  const { t } = texts;
  const narrow = useNarrow();
  const small = useSmall();
  const now = useSeconds(call.answered !== null);
  const { full, toggle } = useFullScreen(stage);
  const live = call.state === "active" || call.state === "held";
  const since = call.answered ? clockOf(secondsOf(call, now)) : "";
  const lock = call.secure === "none" ? <LockOpen16Filled aria-hidden /> : <LockClosed16Filled aria-hidden />;
  return (
    <div className={css.header}>
      {narrow && (
        <button type="button" className={css.tool} aria-label={t("call.leave")} title={t("call.leave")} onClick={() => go("chats")}>
          <ChevronDown20Regular aria-hidden />
        </button>
      )}
      {pictures ? (
        <>
          {!small && <PartyFace party={call.party} size={34} conference={call.conference} />}
          <div className={css.title}>
            <h1>
              <bdi>{callName(texts, call)}</bdi>
            </h1>
            <p>
              {[stateOf(texts, call), since, small ? "" : partyNumber(call.party)].filter(Boolean).map((part, at) => (
                <span key={at}>
                  {at > 0 && " · "}
                  <bdi>{part}</bdi>
                </span>
              ))}
            </p>
            {small && live && (
              <p data-secure={call.secure}>
                {lock} {secureOf(texts, call)}
              </p>
            )}
          </div>
        </>
      ) : (
        <span className={css.title} />
      )}
      {live && (
        <>
          {!(small && pictures) && (
            <span className={css.chip} data-secure={call.secure}>
              {lock}
              {secureOf(texts, call)}
            </span>
          )}
          <button type="button" className={css.chip} data-word={call.quality.word} aria-expanded={quality} onClick={onQuality}>
            <Meter word={call.quality.word} />
            <span className="sr-only">{t("quality.title")}: </span>
            {wordOf(texts, call.quality.word)}
          </button>
        </>
      )}
      {document.fullscreenEnabled && (
        <button type="button" className={`${css.tool ?? ""} ${css.full ?? ""}`} aria-label={t(full ? "call.fullScreen.leave" : "call.fullScreen")} title={t(full ? "call.fullScreen.leave" : "call.fullScreen")} onClick={toggle}>
          {full ? <FullScreenMinimize20Regular aria-hidden /> : <FullScreenMaximize20Regular aria-hidden />}
        </button>
      )}
    </div>
  );
}
