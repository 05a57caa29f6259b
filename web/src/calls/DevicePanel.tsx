/** Beside a call: another microphone, loudspeaker or camera, at once and for all calls of this browser. */
import { Button } from "@fluentui/react-button";
import { Dismiss20Regular } from "@fluentui/react-icons";
import { useState } from "react";

import { useFeatures } from "../engine/hooks";
import { usePreferences } from "../engine/prefs";
import { IconButton } from "../parts/IconButton";
import { useTexts } from "../texts/texts";
import { ChooseDevice, Level, useDevices } from "./DeviceFields";
import { canChooseSpeaker } from "./devices";
import css from "./quality.module.css";
import { playTest } from "./sound";

export function DevicePanel({ onClose }: { onClose: () => void }) {
  const { t } = useTexts();
  const { devices, refresh } = useDevices();
  const { microphone, speaker } = usePreferences();
  const features = useFeatures();
  const [testing, setTesting] = useState(false);
  const test = () => {
    setTesting(true);
    void playTest(speaker).finally(() => setTesting(false));
  };
  return (
    <aside className={css.panel} aria-label={t("devices.inCall")} data-pane="detail">
      <div className={css.head}>
        <h2>{t("devices.inCall")}</h2>
        <IconButton icon={<Dismiss20Regular />} label={t("close")} onClick={onClose} />
      </div>
      <div className={css.body}>
        <ChooseDevice which="microphone" devices={devices} />
        <Level device={microphone} onOpen={refresh} />
        {canChooseSpeaker && <ChooseDevice which="speaker" devices={devices} />}
        <div>
          <Button onClick={test} disabledFocusable={testing}>
            {t("devices.test")}
          </Button>
        </div>
        {features?.video && <ChooseDevice which="camera" devices={devices} />}
        {canChooseSpeaker && <ChooseDevice which="ringDevice" devices={devices} />}
      </div>
    </aside>
  );
}
