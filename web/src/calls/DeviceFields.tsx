/** Choosing what one speaks, hears and is seen with: in the settings, and beside a call. */
import { Field } from "@fluentui/react-field";
import { Select } from "@fluentui/react-select";
import { useCallback, useEffect, useState } from "react";

import { setPreferences, usePreferences } from "../engine/prefs";
import { Notice } from "../parts/Notice";
import css from "../settings/settings.module.css";
import type { MessageId } from "../texts/catalogue";
import { useTexts } from "../texts/texts";
import { DeviceError, list, open } from "./devices";
import { watchLevel } from "./sound";
import { useMediaOwner } from "./useMediaView";

type Chosen = "microphone" | "speaker" | "camera" | "ringDevice";
const kinds: Record<Chosen, MediaDeviceKind> = { microphone: "audioinput", speaker: "audiooutput", camera: "videoinput", ringDevice: "audiooutput" };
const titles = { microphone: "devices.microphone", speaker: "devices.speaker", camera: "devices.camera", ringDevice: "devices.ring" } as const satisfies Record<Chosen, MessageId>;

/** The devices there are, kept up to date; their names come once the browser was asked. */
export function useDevices() {
  const [devices, setDevices] = useState<readonly MediaDeviceInfo[]>([]);
  const refresh = useCallback(() => void list().then(setDevices), []);
  useEffect(() => {
    refresh();
    const source = navigator.mediaDevices as MediaDevices | undefined;
    source?.addEventListener("devicechange", refresh);
    return () => source?.removeEventListener("devicechange", refresh);
  }, [refresh]);
  return { devices, refresh };
}

/** How loud the microphone is, while this page is open and the browser was asked before. */
export function Level({ device, onOpen }: { device: string; onOpen: () => void }) {
  const { t } = useTexts();
  const [level, setLevel] = useState(0);
  const [problem, setProblem] = useState<MessageId | null>(null);
  useEffect(() => {
    let over = false;
    let track: MediaStreamTrack | null = null;
    let stop: (() => void) | null = null;
    open("microphone", device).then(
      (opened) => {
        if (over) {
          opened.stop();
          return;
        }
        track = opened;
        setProblem(null);
        onOpen();
        stop = watchLevel(new MediaStream([opened]), setLevel);
      },
      (error: unknown) => {
        if (!over && error instanceof DeviceError) setProblem(error.sentence);
      },
    );
    return () => {
      over = true;
      stop?.();
      track?.stop();
    };
  }, [device, onOpen]);
  if (problem) return <Notice kind="warning" title={t(problem)} />;
  return (
    <div className={css.level} role="meter" aria-label={t("devices.level")} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(level * 100)}>
      <i style={{ inlineSize: `${Math.round(level * 100)}%` }} />
    </div>
  );
}

export function ChooseDevice({ which, devices }: { which: Chosen; devices: readonly MediaDeviceInfo[] }) {
  const { t } = useTexts();
  const media = useMediaOwner();
  const chosen = usePreferences()[which];
  const named = devices.filter((device) => device.kind === kinds[which] && device.deviceId && device.deviceId !== "default" && device.label);
  const choose = (id: string) => {
    setPreferences({ [which]: id });
    if (which === "speaker") media.renewSpeaker();
    else if (which !== "ringDevice") void media.renew(which);
  };
  return (
    <Field label={t(titles[which])}>
      <Select value={named.some((device) => device.deviceId === chosen) ? chosen : ""} onChange={(_, data) => choose(data.value)}>
        <option value="">{t("devices.system")}</option>
        {named.map((device) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label}
          </option>
        ))}
      </Select>
    </Field>
  );
}
