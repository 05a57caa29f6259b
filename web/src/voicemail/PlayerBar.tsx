/** Hearing a message: its shape, back and on by ten seconds, how fast, and where it is heard. */
import { Button } from "@fluentui/react-button";
import { Pause24Filled, Play24Filled, Phone20Regular, SkipBack1020Regular, SkipForward1020Regular, Speaker220Regular, Stop20Regular } from "@fluentui/react-icons";
import { Menu, MenuDivider, MenuItem, MenuItemRadio, MenuList, MenuPopover, MenuTrigger } from "@fluentui/react-menu";
import { useCallback, useEffect, useState } from "react";

import { canChooseSpeaker } from "../calls/devices";
import { useDevices } from "../calls/DeviceFields";
import { useEngine, useMailbox, useSoftphone } from "../engine/hooks";
import { setPreferences, usePreferences } from "../engine/prefs";
import { Bones } from "../parts/Bones";
import { IconButton } from "../parts/IconButton";
import { Notice } from "../parts/Notice";
import { TextDialog } from "../parts/TextDialog";
import { useTexts } from "../texts/texts";
import type { VoiceMessage, VoiceSound } from "../wire";
import type { Player } from "./usePlayer";
import { SPEEDS, usePlayer } from "./usePlayer";
import css from "./voicemail.module.css";
import { Waveform } from "./Waveform";

const LEAP = 10;

/** The shape of a message's sound, and where the sound itself is; null until it came. */
function useSound(message: VoiceMessage) {
  const engine = useEngine();
  const { refused } = useTexts();
  const [sound, setSound] = useState<{ shape: VoiceSound; url: string } | null>(null);
  const [problem, setProblem] = useState("");
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let url = "";
    let over = false;
    const load = async () => {
      const shape = await engine.voicemail.shape(message.id);
      const answer = await fetch(`/api/voicemail/${message.id}`);
      if (over || !answer.ok) return;
      // A blob, so that every browser can jump in it.
      url = URL.createObjectURL(await answer.blob());
      setSound({ shape, url });
    };
    load().catch((error: unknown) => !over && setProblem(refused(error)));
    return () => {
      over = true;
      if (url) URL.revokeObjectURL(url);
    };
  }, [engine, message.id, refused, tries]);
  const again = () => {
    setProblem("");
    setTries(tries + 1);
  };
  return { sound, problem, again };
}

function Speed({ player }: { player: Player }) {
  const { t, number } = useTexts();
  const { voiceSpeed } = usePreferences();
  return (
    <Menu checkedValues={{ speed: [String(voiceSpeed)] }} onCheckedValueChange={(_, data) => player.setSpeed(Number(data.checkedItems[0] ?? 1))}>
      <MenuTrigger disableButtonEnhancement>
        <Button appearance="subtle" className={css.strong ?? ""} aria-label={t("voicemail.speed", { speed: number(voiceSpeed) })}>
          <bdi dir="ltr">{t("voicemail.times", { speed: number(voiceSpeed) })}</bdi>
        </Button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {SPEEDS.map((speed) => (
            <MenuItemRadio key={speed} name="speed" value={String(speed)}>
              <bdi dir="ltr">{t("voicemail.times", { speed: number(speed) })}</bdi>
            </MenuItemRadio>
          ))}
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}

/** Where it is heard: a loudspeaker of this computer, or a phone that is called. */
function Output({ onPhone, onOther }: { onPhone: (number: string) => void; onOther: () => void }) {
  const { t } = useTexts();
  const { devices } = useDevices();
  const { speaker } = usePreferences();
  const softphone = useSoftphone();
  const named = canChooseSpeaker ? devices.filter((device) => device.kind === "audiooutput" && device.deviceId && device.deviceId !== "default" && device.label) : [];
  const chosen = named.find((device) => device.deviceId === speaker);
  const numbers = [...new Set([softphone?.number ?? "", ...(softphone?.devices.map((device) => device.number) ?? [])])].filter(Boolean);
  return (
    <Menu checkedValues={{ speaker: [chosen?.deviceId ?? ""] }} onCheckedValueChange={(_, data) => setPreferences({ speaker: data.checkedItems[0] ?? "" })}>
      <MenuTrigger disableButtonEnhancement>
        <Button appearance="subtle" icon={<Speaker220Regular />} className={css.strong ?? ""}>
          {chosen?.label ?? t("voicemail.computer")}
        </Button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          <MenuItemRadio name="speaker" value="">
            {t("voicemail.computer")}
          </MenuItemRadio>
          {named.map((device) => (
            <MenuItemRadio key={device.deviceId} name="speaker" value={device.deviceId}>
              {device.label}
            </MenuItemRadio>
          ))}
          <MenuDivider />
          {numbers.map((number) => (
            <MenuItem key={number} icon={<Phone20Regular />} onClick={() => onPhone(number)}>
              {t("voicemail.onPhone", { number })}
            </MenuItem>
          ))}
          <MenuItem icon={<Phone20Regular />} onClick={onOther}>
            {t("voicemail.onOther")}
          </MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}

/** A phone plays it. */
function OnPhone({ message }: { message: VoiceMessage }) {
  const { t } = useTexts();
  const { voicemail } = useEngine();
  const playing = useMailbox()?.playing;
  if (playing?.message !== message.id) return null;
  const { state, number } = playing;
  return (
    <div className={css.onPhone} role="status">
      <Phone20Regular aria-hidden />
      <span>{t(`voicemail.phone.${state}`, { number })}</span>
      {state === "playing" && <Button onClick={() => void voicemail.controlPhone("pause")}>{t("voicemail.pause")}</Button>}
      {state === "paused" && <Button onClick={() => void voicemail.controlPhone("resume")}>{t("voicemail.play")}</Button>}
      <Button icon={<Stop20Regular />} onClick={() => void voicemail.controlPhone("stop")}>
        {t("voicemail.stop")}
      </Button>
    </div>
  );
}

export function PlayerBar({ message }: { message: VoiceMessage }) {
  const { t, refused } = useTexts();
  const engine = useEngine();
  const { sound, problem, again } = useSound(message);
  const [trouble, setTrouble] = useState("");
  const [asks, setAsks] = useState(false);
  const seconds = sound?.shape.seconds ?? message.seconds;
  const started = useCallback(() => {
    // Where the service does not answer now, it is told as soon as it does.
    if (message.new) engine.voicemail.mark(message.id, false).catch(() => undefined);
  }, [engine, message.id, message.new]);
  const player = usePlayer(sound?.url ?? null, seconds, started);
  const onPhone = (number: string) => {
    player.pause();
    setTrouble("");
    engine.voicemail.playOnPhone(message.id, number, player.at).catch((error: unknown) => setTrouble(refused(error)));
  };
  if (problem)
    return (
      <Notice kind="bad" title={problem}>
        <Button onClick={again}>{t("tryAgain")}</Button>
      </Notice>
    );
  if (!sound) return <Bones rows={2} />;
  return (
    <section className={css.player} aria-label={t("voicemail.player")}>
      <Waveform peaks={sound.shape.peaks} seconds={seconds} at={player.at} onSeek={player.seek} onToggle={player.toggle} />
      <div className={css.controls}>
        <Speed player={player} />
        <span dir="ltr" className={css.keys}>
          <IconButton icon={<SkipBack1020Regular />} label={t("voicemail.back")} onClick={() => player.seek(player.at - LEAP)} />
          <button type="button" className={css.play} onClick={player.toggle} aria-label={t(player.playing ? "voicemail.pause" : "voicemail.play")}>
            {player.playing ? <Pause24Filled aria-hidden /> : <Play24Filled aria-hidden />}
          </button>
          <IconButton icon={<SkipForward1020Regular />} label={t("voicemail.on")} onClick={() => player.seek(player.at + LEAP)} />
        </span>
        <Output onPhone={onPhone} onOther={() => setAsks(true)} />
      </div>
      <OnPhone message={message} />
      {player.broken && <Notice kind="bad" title={t("voicemail.broken", { format: sound.shape.format })} />}
      {trouble && <Notice kind="bad" title={trouble} />}
      {asks && (
        <TextDialog
          title={t("voicemail.onOther")}
          label={t("voicemail.number")}
          action={t("voicemail.play")}
          value=""
          onDone={async (number) => {
            player.pause();
            await engine.voicemail.playOnPhone(message.id, number, player.at);
          }}
          onClose={() => setAsks(false)}
        />
      )}
    </section>
  );
}
