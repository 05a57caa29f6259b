/** The controls of a call, each with its word: the word is what pressing it does. */
import {
  CallEnd20Filled,
  CallTransfer20Regular,
  Dialpad20Regular,
  Mic20Regular,
  MicOff20Filled,
  MoreHorizontal20Regular,
  Pause20Regular,
  PersonAdd20Regular,
  Play20Filled,
  Video20Filled,
  VideoOff20Regular,
} from "@fluentui/react-icons";
import { Menu, MenuGroup, MenuGroupHeader, MenuItem, MenuItemCheckbox, MenuList, MenuPopover, MenuTrigger } from "@fluentui/react-menu";

import { useEngine, useFeatures, useSoftphone } from "../engine/hooks";
import { usePhone as useSmall } from "../parts/useMedia";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import type { Panel } from "./CallWindow";
import { deviceName } from "./DeviceCard";
import type { MediaView } from "./media";
import { StageButton } from "./StageButton";
import type { CallActions } from "./useCallKeys";
import css from "./window.module.css";
import { callName } from "./words";

interface Props {
  call: Call;
  others: readonly Call[];
  media: MediaView;
  keypad: boolean;
  panel: Panel;
  actions: CallActions;
}

function More({ call, others, actions, small }: Props & { small: boolean }) {
  const texts = useTexts();
  const { t } = texts;
  const { phone } = useEngine();
  const softphone = useSoftphone();
  const targets = (softphone?.devices ?? []).filter((device) => device.id !== call.device);
  const line = (action: Parameters<CallActions["barred"]>[0], text: string, onClick: () => void) => {
    const barred = actions.barred(action);
    return (
      <MenuItem key={text} subText={barred ?? undefined} disabled={barred !== null} onClick={onClick}>
        {text}
      </MenuItem>
    );
  };
  return (
    <Menu positioning="above" checkedValues={{ low: call.low || softphone?.low ? ["low"] : [] }} onCheckedValueChange={(_, data) => void phone.lowBandwidth(data.checkedItems.includes("low"))}>
      <MenuTrigger disableButtonEnhancement>
        <StageButton icon={<MoreHorizontal20Regular />} text={t("more")} />
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {small && line("hold", t(call.state === "held" ? "call.resume" : "call.hold"), actions.hold)}
          {small && line("transfer", t("call.transfer"), actions.transfer)}
          {small && line("add", t("call.add"), actions.add)}
          {line("park", t("call.park"), actions.park)}
          {others.filter((other) => other.answered).map((other) => line("merge", t("call.mergeWith", { name: callName(texts, other) }), () => void phone.merge(call.id, other.id)))}
          {targets.length > 0 && (
            <MenuGroup>
              <MenuGroupHeader>{t("call.move")}</MenuGroupHeader>
              {targets.map((device) => line("move", deviceName(texts, device), () => actions.move(device.id)))}
            </MenuGroup>
          )}
          {call.here && <MenuItem onClick={actions.devices}>{t("devices.inCall")}</MenuItem>}
          <MenuItem onClick={actions.quality}>{t("quality.title")}</MenuItem>
          <MenuItemCheckbox name="low" value="low">
            {t("call.low")}
          </MenuItemCheckbox>
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}

export function Controls(props: Props) {
  const { call, media, keypad, panel, actions } = props;
  const { t } = useTexts();
  const features = useFeatures();
  const small = useSmall();
  const connected = call.answered !== null;
  const shows = media.camera !== null || call.video === "sending" || call.video === "both";
  const held = call.state === "held";
  return (
    <div className={css.controls} role="toolbar" aria-label={t("call.controls")}>
      {call.here && (
        <StageButton icon={call.muted ? <MicOff20Filled /> : <Mic20Regular />} text={t(call.muted ? "call.unmute" : "call.mute")} on={call.muted} keys="M" onClick={actions.mute} />
      )}
      {connected && features?.video && (
        <StageButton
          icon={shows ? <Video20Filled /> : <VideoOff20Regular />}
          text={t(shows ? "call.video.stop" : "call.video.start")}
          barred={shows ? null : actions.barred("video")}
          keys="V"
          onClick={actions.video}
        />
      )}
      {(connected || call.early) && <StageButton icon={<Dialpad20Regular />} text={t("call.keypad")} on={keypad} barred={actions.barred("digits")} keys="K" onClick={actions.keypad} />}
      {connected && !small && (
        <>
          <StageButton
            icon={held ? <Play20Filled /> : <Pause20Regular />}
            text={t(held ? "call.resume" : "call.hold")}
            on={held}
            barred={held ? null : actions.barred("hold")}
            keys="H"
            onClick={actions.hold}
          />
          <StageButton icon={<CallTransfer20Regular className="flip" />} text={t("call.transfer")} on={panel === "transfer"} barred={actions.barred("transfer")} keys="T" onClick={actions.transfer} />
          <StageButton icon={<PersonAdd20Regular />} text={t("call.add")} on={panel === "add"} barred={actions.barred("add")} onClick={actions.add} />
        </>
      )}
      {connected && <More {...props} small={small} />}
      <StageButton icon={<CallEnd20Filled />} text={t("call.end")} end keys="Shift+E" onClick={actions.end} />
    </div>
  );
}
