/** No connection: since when, when it is tried next, and a way to try now. Everything else stays usable. */
import { Button } from "@fluentui/react-button";
import { CloudOff20Regular } from "@fluentui/react-icons";
import { useEffect, useState } from "react";

import { useEngine, useLink, useServices, useWhere } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import css from "./offline.module.css";

const SHORT_BREAK = 1500;

export function OfflineBar() {
  const { t, clock, reason } = useTexts();
  const engine = useEngine();
  const link = useLink();
  const place = useWhere();
  const moving = place.where === "moving" && link.open;
  // Where the edge itself lets nobody through, that is what the person needs to know.
  const shut = link.open && place.where === "outside" && /^edge\.(problem|access|sign_in)/.test(place.reasons[0]?.id ?? "") ? reason(place.reasons[0]) : "";
  const messages = useServices().find((service) => service.id === "messages");
  const server = messages && messages.state !== "up" && messages.state !== "off" ? messages : null;
  const since = link.lostAt ?? (server?.since ? Date.parse(server.since) : null);
  const next = link.nextTryAt ?? (server?.next_try ? Date.parse(server.next_try) : null);
  const [now, setNow] = useState(() => Date.now());
  const down = since !== null && (!link.open || server !== null);
  useEffect(() => {
    if (!down) return undefined;
    setNow(Date.now());
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, [down]);
  if (!down || now - since < SHORT_BREAK) return null;
  const wait = next === null ? 0 : Math.ceil((next - now) / 1000);
  return (
    <div className={css.bar} role="status" data-calm={moving || undefined}>
      <CloudOff20Regular aria-hidden />
      <span>
        <b>{shut || t(moving ? "offline.moving" : link.open ? "offline.server" : "offline.engine", { time: clock(since) })}</b> {wait > 0 ? t("offline.next", { seconds: wait }) : t("offline.trying")}
      </span>
      <Button appearance="transparent" size="small" onClick={link.open ? () => void engine.tryAgain() : engine.tryNow}>
        {t("tryNow")}
      </Button>
    </div>
  );
}
