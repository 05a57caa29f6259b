/** Over the stage, one line each: what does not work and how to help it, what was refused, what the other side asks. */
import { Info20Filled, ShieldError20Regular, Speaker220Regular, Video20Regular, Warning20Filled } from "@fluentui/react-icons";
import type { ReactElement, ReactNode } from "react";

import { useEngine, usePhoneProblem, useSoftphone } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { deviceName } from "./DeviceCard";
import type { MediaView } from "./media";
import { useMediaOwner } from "./useMediaView";
import css from "./window.module.css";
import { partyName } from "./words";

function Line({ icon, kind, children, action }: { icon: ReactElement; kind?: string; children: ReactNode; action?: ReactNode }) {
  return (
    <div className={css.notice} data-kind={kind} role="status">
      {icon}
      <span>{children}</span>
      {action}
    </div>
  );
}

interface Props {
  call: Call;
  media: MediaView;
  said: string;
  quality: boolean;
  onQuality: () => void;
}

export function Notices({ call, media, said, quality, onQuality }: Props) {
  const texts = useTexts();
  const { t, reason, refused } = texts;
  const { phone } = useEngine();
  const problem = usePhoneProblem();
  const owner = useMediaOwner();
  const devices = useSoftphone()?.devices ?? [];
  const deviceOf = (id: string) => {
    const device = devices.find((one) => one.id === id);
    return device ? deviceName(texts, device) : id;
  };
  if (call.state === "ended") return <div className={css.notices} />;
  const { verdict, cause, remedy, word } = call.quality;
  const bad = word === "fair" || word === "poor";
  return (
    <div className={css.notices}>
      {call.party.emergency && (
        <Line icon={<ShieldError20Regular aria-hidden />} kind="bad">
          <b>{t("call.emergency")}</b> {t("call.emergency.help")}
        </Line>
      )}
      {media.problems.map((one) => (
        <Line key={one} icon={<Warning20Filled aria-hidden />} kind="warning" action={media.state === "failed" && <button type="button" onClick={() => owner.takeOver(call.id)}>{t("tryAgain")}</button>}>
          {t(one)}
        </Line>
      ))}
      {media.state === "elsewhere" && call.here && (
        <Line icon={<Speaker220Regular aria-hidden />} action={<button type="button" onClick={() => owner.takeOver(call.id)}>{t("media.here")}</button>}>
          {t("media.elsewhere")}
        </Line>
      )}
      {media.silent && (
        <Line icon={<Speaker220Regular aria-hidden />} kind="warning" action={<button type="button" onClick={() => owner.play(call.id)}>{t("media.play")}</button>}>
          {t("media.silent")}
        </Line>
      )}
      {!call.here && <Line icon={<Info20Filled aria-hidden />}>{t("call.onOther", { device: deviceOf(call.device) })}</Line>}
      {call.asks_video && call.video !== "both" && call.video !== "sending" && (
        <Line
          icon={<Video20Regular aria-hidden />}
          action={<button type="button" onClick={() => void owner.startVideo(call.id).catch(() => undefined)}>{t("call.video.start")}</button>}
        >
          {t("call.asksVideo", { name: partyName(texts, call.party) })}
        </Line>
      )}
      {(said || Boolean(problem)) && (
        <Line icon={<Info20Filled aria-hidden />} action={Boolean(problem) && <button type="button" onClick={phone.dismiss}>{t("close")}</button>}>
          {said || refused(problem)}
        </Line>
      )}
      {bad && verdict && !quality && (
        <Line icon={<Warning20Filled aria-hidden />} kind="warning" action={<button type="button" onClick={onQuality}>{t("details")}</button>}>
          <b>{reason(verdict)}</b> {[reason(cause), reason(remedy)].filter(Boolean).join(" ")}
        </Line>
      )}
      {!said && !problem && call.note && call.state !== "dialling" && call.state !== "ringing_out" && <Line icon={<Info20Filled aria-hidden />}>{reason(call.note)}</Line>}
    </div>
  );
}
