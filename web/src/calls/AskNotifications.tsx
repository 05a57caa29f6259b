/** Asked when the first call could have needed it: whether calls are shown while the page is in the background. */
import { Button } from "@fluentui/react-button";
import { useState } from "react";

import chats from "../chats/chats.module.css";
import { useRecents } from "../engine/hooks";
import { setPreferences, usePreferences } from "../engine/prefs";
import { useTexts } from "../texts/texts";

export function AskNotifications() {
  const { t } = useTexts();
  const { notifications } = usePreferences();
  const recents = useRecents();
  const [permission, setPermission] = useState(() => ("Notification" in window ? Notification.permission : "denied"));
  const called = recents.some((recent) => recent.direction === "in");
  if (!called || notifications === "off" || permission !== "default") return null;
  return (
    <div className={chats.ask} role="group" aria-label={t("notify.calls")}>
      <p>{t("notify.calls")}</p>
      <Button size="small" appearance="primary" onClick={() => void Notification.requestPermission().then(setPermission)}>
        {t("notify.calls.show")}
      </Button>
      <Button size="small" onClick={() => setPreferences({ notifications: "off" })}>
        {t("notify.not")}
      </Button>
    </div>
  );
}
