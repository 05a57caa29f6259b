import { Button } from "@fluentui/react-button";
import { Switch } from "@fluentui/react-switch";
import { useState } from "react";

import { setPreferences, usePreferences } from "../engine/prefs";
import { useTexts } from "../texts/texts";
import css from "./settings.module.css";

export function NotificationsPage() {
  const { t } = useTexts();
  const { notifications, showText, enterSends } = usePreferences();
  const [permission, setPermission] = useState(() => ("Notification" in window ? Notification.permission : "denied"));
  return (
    <div className={css.box}>
      <Switch
        label={t("notify.setting")}
        checked={notifications === "on"}
        onChange={(_, data) => setPreferences({ notifications: data.checked ? "on" : "off" })}
      />
      {notifications === "on" && permission === "default" && (
        <p>
          {t("notify.ask")}{" "}
          <Button size="small" onClick={() => void Notification.requestPermission().then(setPermission)}>
            {t("notify.show")}
          </Button>
        </p>
      )}
      {notifications === "on" && permission === "denied" && <p>{t("notify.denied")}</p>}
      <Switch label={t("notify.text")} checked={showText} onChange={(_, data) => setPreferences({ showText: data.checked })} />
      <Switch label={t("composer.enterSends")} checked={enterSends} onChange={(_, data) => setPreferences({ enterSends: data.checked })} />
    </div>
  );
}
