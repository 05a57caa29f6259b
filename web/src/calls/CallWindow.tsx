/** A call that goes on: the dark stage in both themes, its controls, and one panel beside it. */
import { useEffect, useRef, useState } from "react";

import { useCalls } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { AudioStage } from "./AudioStage";
import { Controls } from "./Controls";
import { DevicePanel } from "./DevicePanel";
import { Ended } from "./Ended";
import { Notices } from "./Notices";
import type { PickKind } from "./PickPanel";
import { PickPanel } from "./PickPanel";
import { QualityPanel } from "./QualityPanel";
import { StageHeader } from "./StageHeader";
import { useCallKeys } from "./useCallKeys";
import { useMediaView } from "./useMediaView";
import { VideoStage } from "./VideoStage";
import css from "./window.module.css";
import { callName } from "./words";

export type Panel = "" | "quality" | "devices" | PickKind;

export function CallWindow({ call }: { call: Call }) {
  const texts = useTexts();
  const stage = useRef<HTMLElement>(null);
  const media = useMediaView(call.id);
  const [panel, setPanel] = useState<Panel>("");
  const [keypad, setKeypad] = useState(false);
  const [digits, setDigits] = useState("");
  const [said, setSaid] = useState("");
  const others = useCalls().filter((other) => other.id !== call.id && (other.state === "held" || other.state === "active" || other.consults === call.id || call.consults === other.id) && other.state !== "ended");
  const name = callName(texts, call);
  const ended = call.state === "ended";
  const toggle = (wanted: Panel) => setPanel((open) => (open === wanted ? "" : wanted));
  const actions = useCallKeys({ call, media, onKeypad: () => setKeypad((open) => !open), onPanel: toggle, onDigit: (digit) => setDigits((all) => (all + digit).slice(-24)), onSay: setSaid });
  useEffect(() => {
    if (!said) return undefined;
    const timer = window.setTimeout(() => setSaid(""), 6000);
    return () => window.clearTimeout(timer);
  }, [said]);
  const pictures = !ended && (media.camera !== null || call.video === "receiving" || call.video === "both");
  const Stage = pictures ? VideoStage : AudioStage;
  return (
    <main className={css.window} id="main" tabIndex={-1} data-pane="main" aria-label={texts.t("call.with", { name })}>
      <section className={css.stage} ref={stage} aria-label={texts.t("call.with", { name })} data-video={pictures || undefined}>
        <StageHeader call={call} stage={stage} pictures={pictures} quality={panel === "quality"} onQuality={() => toggle("quality")} />
        <Notices call={call} media={media} said={said} onQuality={() => toggle("quality")} quality={panel === "quality"} />
        <Stage call={call} others={others} media={media} keypad={keypad} digits={digits} onDigit={actions.digit} />
        {ended ? <Ended call={call} /> : <Controls call={call} others={others} media={media} keypad={keypad} panel={panel} actions={actions} />}
      </section>
      {panel === "quality" && <QualityPanel call={call} onClose={() => setPanel("")} />}
      {panel === "devices" && !ended && <DevicePanel onClose={() => setPanel("")} />}
      {(panel === "transfer" || panel === "add") && <PickPanel kind={panel} call={call} others={others} onClose={() => setPanel("")} />}
    </main>
  );
}
