/** Asks for notifications once the first message came that could have needed one; never on load. */
import { Button } from "@fluentui/react-button";
import { useState } from "react";

import { useConversations } from "../engine/hooks";
import { setPreferences, usePreferences } from "../engine/prefs";
import { useTexts } from "../texts/texts";
import css from "./chats.module.css";

export function NotifyCard() {
  const { t } = useTexts();
  const { notifications } = usePreferences();
  const waiting = useConversations().some((chat) => chat.unread > 0);
  const [permission, setPermission] = useState(() => ("Notification" in window ? Notification.permission : "denied"));
  if (!waiting || permission !== "default" || notifications === "off") return null;
  return (
    <div className={css.ask}>
      <p>{t("notify.ask")}</p>
      <Button size="small" appearance="primary" onClick={() => void Notification.requestPermission().then(setPermission)}>
        {t("notify.show")}
      </Button>
      <Button size="small" appearance="subtle" onClick={() => setPreferences({ notifications: "off" })}>
        {t("notify.not")}
      </Button>
    </div>
  );
}
