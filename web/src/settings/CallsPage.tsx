/** Calls and devices: what one speaks and hears with, where it rings, and where calls go. */
import { Button } from "@fluentui/react-button";
import { Field } from "@fluentui/react-field";
import { Input } from "@fluentui/react-input";
import { Select } from "@fluentui/react-select";
import { Switch } from "@fluentui/react-switch";
import type { FormEvent } from "react";
import { useCallback, useEffect, useState } from "react";

import { DeviceCard } from "../calls/DeviceCard";
import { canChooseSpeaker, DeviceError, list, open } from "../calls/devices";
import { PhoneState } from "../calls/PhoneState";
import { playTest, startRinging, watchLevel } from "../calls/sound";
import { useMediaOwner } from "../calls/useMediaView";
import { useEngine, usePhoneProblem, useSoftphone } from "../engine/hooks";
import { setPreferences, usePreferences } from "../engine/prefs";
import { Notice } from "../parts/Notice";
import type { MessageId } from "../texts/catalogue";
import { useTexts } from "../texts/texts";
import css from "./settings.module.css";

type Chosen = "microphone" | "speaker" | "camera" | "ringDevice";
const kinds: Record<Chosen, MediaDeviceKind> = { microphone: "audioinput", speaker: "audiooutput", camera: "videoinput", ringDevice: "audiooutput" };
const titles = { microphone: "devices.microphone", speaker: "devices.speaker", camera: "devices.camera", ringDevice: "devices.ring" } as const satisfies Record<Chosen, MessageId>;
const RING_TEST = 3000;

/** The devices there are, kept up to date; their names come once the browser was asked. */
function useDevices() {
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
function Level({ device, onOpen }: { device: string; onOpen: () => void }) {
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

function Choose({ which, devices }: { which: Chosen; devices: readonly MediaDeviceInfo[] }) {
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

function Devices() {
  const { t } = useTexts();
  const { devices, refresh } = useDevices();
  const { microphone, speaker, cleanSound, rings, ringVolume } = usePreferences();
  const media = useMediaOwner();
  const [listening, setListening] = useState(false);
  const [testing, setTesting] = useState(false);
  const known = devices.some((device) => device.kind === "audioinput" && device.label);
  const test = () => {
    setTesting(true);
    void playTest(speaker).finally(() => setTesting(false));
  };
  const ring = () => {
    const stop = startRinging();
    window.setTimeout(stop, RING_TEST);
  };
  return (
    <>
      <section className={`${css.box ?? ""} ${css.fields ?? ""}`} aria-label={t("devices.title")}>
        <h3>{t("devices.title")}</h3>
        {!known && !listening && <p>{t("devices.ask")}</p>}
        <Choose which="microphone" devices={devices} />
        {known || listening ? (
          <Level device={microphone} onOpen={refresh} />
        ) : (
          <div>
            <Button onClick={() => setListening(true)}>{t("devices.allow")}</Button>
          </div>
        )}
        <Switch
          label={t("devices.clean")}
          checked={cleanSound}
          onChange={(_, data) => {
            setPreferences({ cleanSound: data.checked });
            void media.renew("microphone");
          }}
        />
        {canChooseSpeaker && <Choose which="speaker" devices={devices} />}
        <div>
          <Button onClick={test} disabledFocusable={testing}>
            {t("devices.test")}
          </Button>
        </div>
        <Choose which="camera" devices={devices} />
      </section>
      <section className={`${css.box ?? ""} ${css.fields ?? ""}`} aria-label={t("devices.ringing")}>
        <h3>{t("devices.ringing")}</h3>
        <Switch label={t("devices.rings")} checked={rings} onChange={(_, data) => setPreferences({ rings: data.checked })} />
        {rings && (
          <>
            {canChooseSpeaker && <Choose which="ringDevice" devices={devices} />}
            <Field label={t("devices.volume")}>
              <input type="range" min={10} max={100} step={10} value={ringVolume} onChange={(event) => setPreferences({ ringVolume: Number(event.target.value) })} aria-label={t("devices.volume")} />
            </Field>
            <div>
              <Button onClick={ring}>{t("devices.ring.test")}</Button>
            </div>
          </>
        )}
      </section>
    </>
  );
}

function Where() {
  const { t, refused } = useTexts();
  const { phone } = useEngine();
  const softphone = useSoftphone();
  const problem = usePhoneProblem();
  const forward = softphone?.forward ?? "";
  const [to, setTo] = useState("");
  if (!softphone) return null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (to.trim()) void phone.forward(to.trim()).then(() => setTo(""));
  };
  return (
    <section className={`${css.box ?? ""} ${css.fields ?? ""}`} aria-label={t("forward.title")}>
      <h3>{t("forward.title")}</h3>
      <Switch label={t("phone.setDnd")} checked={softphone.do_not_disturb} onChange={(_, data) => void phone.doNotDisturb(data.checked)} />
      {forward ? (
        <p>
          {t("phone.forwarded", { to: forward === "voicemail" ? t("phone.voicemail") : forward })}{" "}
          <Button size="small" onClick={() => void phone.forward("")}>
            {t("forward.off")}
          </Button>
        </p>
      ) : (
        <form onSubmit={submit} className={css.buttons}>
          <Input value={to} onChange={(_, data) => setTo(data.value)} placeholder={t("forward.to")} aria-label={t("forward.to")} inputMode="tel" />
          <Button type="submit" disabledFocusable={!to.trim()}>
            {t("forward.on")}
          </Button>
          {softphone.voicemail && <Button onClick={() => void phone.forward("voicemail")}>{t("forward.voicemail")}</Button>}
        </form>
      )}
      <Switch label={t("call.low")} checked={softphone.low} onChange={(_, data) => void phone.lowBandwidth(data.checked)} />
      <p>{t("call.low.help")}</p>
      {Boolean(problem) && <Notice kind="bad" title={refused(problem)} />}
    </section>
  );
}

export function CallsPage() {
  return (
    <>
      <DeviceCard inset={false} />
      <PhoneState />
      <Where />
      <Devices />
    </>
  );
}
