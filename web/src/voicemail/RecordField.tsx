/** Recording with the microphone: its level is seen, what was said is heard before it goes anywhere. */
import { Button } from "@fluentui/react-button";
import { Mic20Regular, Pause20Regular, Play20Regular, Record20Regular, RecordStop20Regular } from "@fluentui/react-icons";
import { useEffect, useRef, useState } from "react";

import { DeviceError } from "../calls/devices";
import { Notice } from "../parts/Notice";
import { useTexts } from "../texts/texts";
import type { Recording } from "./recording";
import { record } from "./recording";
import { usePlayer } from "./usePlayer";
import css from "./voicemail.module.css";
import { timeOf } from "./words";

interface Props {
  /** Seconds; 0: no limit is known. */
  longest: number;
  /** What was recorded; null while nothing is. */
  onChange: (wav: Blob | null) => void;
}

function Preview({ wav, seconds }: { wav: Blob; seconds: number }) {
  const { t } = useTexts();
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const made = URL.createObjectURL(wav);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [wav]);
  const player = usePlayer(url, seconds);
  return (
    <Button icon={player.playing ? <Pause20Regular /> : <Play20Regular />} onClick={player.toggle}>
      {t(player.playing ? "voicemail.pause" : "voicemail.listen")}
    </Button>
  );
}

export function RecordField({ longest, onChange }: Props) {
  const { t } = useTexts();
  const [level, setLevel] = useState(0);
  const [seconds, setSeconds] = useState(0);
  const [state, setState] = useState<"idle" | "recording" | "ready">("idle");
  const [wav, setWav] = useState<Blob | null>(null);
  const [problem, setProblem] = useState("");
  const recording = useRef<Recording | null>(null);
  const over = useRef(false);
  useEffect(() => {
    over.current = false;
    return () => {
      over.current = true;
      recording.current?.drop();
    };
  }, []);
  const end = async () => {
    const running = recording.current;
    recording.current = null;
    if (!running) return;
    try {
      const made = await running.stop();
      setWav(made);
      setState("ready");
      onChange(made);
    } catch {
      setState("idle");
      setProblem(t("media.microphone.fails"));
    }
  };
  const begin = async () => {
    setProblem("");
    setWav(null);
    onChange(null);
    try {
      const begun = await record(setLevel);
      if (over.current) {
        begun.drop();
        return;
      }
      recording.current = begun;
      setSeconds(0);
      setState("recording");
    } catch (error) {
      setState("idle");
      setProblem(t(error instanceof DeviceError ? error.sentence : "media.microphone.fails"));
    }
  };
  const running = state === "recording";
  useEffect(() => {
    if (!running) return undefined;
    const from = Date.now();
    const timer = window.setInterval(() => setSeconds((Date.now() - from) / 1000), 200);
    return () => window.clearInterval(timer);
  }, [running]);
  const full = running && longest > 0 && seconds >= longest;
  useEffect(() => {
    if (full) void end();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `end` is new in every run, and means the same
  }, [full]);
  return (
    <div className={css.record} role="group" aria-label={t("voicemail.recording")}>
      <div className={css.recordRow}>
        {running ? (
          <Button appearance="primary" icon={<RecordStop20Regular />} onClick={() => void end()}>
            {t("voicemail.stopRecording")}
          </Button>
        ) : (
          <Button appearance={state === "ready" ? "secondary" : "primary"} icon={<Record20Regular />} onClick={() => void begin()}>
            {t(state === "ready" ? "voicemail.again" : "voicemail.startRecording")}
          </Button>
        )}
        {wav && <Preview wav={wav} seconds={seconds} />}
        <span className={css.clock} role="timer">
          {timeOf(seconds)}
          {longest > 0 && <small> / {timeOf(longest)}</small>}
        </span>
      </div>
      <div className={css.level} role="meter" aria-label={t("devices.level")} aria-valuemin={0} aria-valuemax={100} aria-valuenow={running ? Math.round(level * 100) : 0}>
        <Mic20Regular aria-hidden />
        <span>
          <i style={{ inlineSize: `${running ? Math.round(level * 100) : 0}%` }} />
        </span>
      </div>
      {problem && <Notice kind="warning" title={problem} />}
    </div>
  );
}
