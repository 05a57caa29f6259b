/** Calls and devices: what one speaks and hears with, where it rings, and where calls go. */
import { Button } from "@fluentui/react-button";
import { Field } from "@fluentui/react-field";
import { Input } from "@fluentui/react-input";
import { Switch } from "@fluentui/react-switch";
import type { FormEvent } from "react";
import { useState } from "react";

import { DeviceCard } from "../calls/DeviceCard";
import { canChooseSpeaker } from "../calls/devices";
import { ChooseDevice, Level, useDevices } from "../calls/DeviceFields";
import { PhoneState } from "../calls/PhoneState";
import { playTest, startRinging } from "../calls/sound";
import { useMediaOwner } from "../calls/useMediaView";
import { useEngine, usePhoneProblem, useSoftphone } from "../engine/hooks";
import { setPreferences, usePreferences } from "../engine/prefs";
import { Notice } from "../parts/Notice";
import { useTexts } from "../texts/texts";
import css from "./settings.module.css";

const RING_TEST = 3000;

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
        <ChooseDevice which="microphone" devices={devices} />
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
        {canChooseSpeaker && <ChooseDevice which="speaker" devices={devices} />}
        <div>
          <Button onClick={test} disabledFocusable={testing}>
            {t("devices.test")}
          </Button>
        </div>
        <ChooseDevice which="camera" devices={devices} />
      </section>
      <section className={`${css.box ?? ""} ${css.fields ?? ""}`} aria-label={t("devices.ringing")}>
        <h3>{t("devices.ringing")}</h3>
        <Switch label={t("devices.rings")} checked={rings} onChange={(_, data) => setPreferences({ rings: data.checked })} />
        {rings && (
          <>
            {canChooseSpeaker && <ChooseDevice which="ringDevice" devices={devices} />}
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
