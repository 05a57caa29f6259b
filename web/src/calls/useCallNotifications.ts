import { useEffect, useRef } from "react";

import { useEngine } from "../engine/hooks";
import { usePreferences } from "../engine/prefs";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import type { Shown } from "./notifications";
import { onPressed, prepare, show } from "./notifications";
import { partyName, partyNumber } from "./words";

const allowed = () => "Notification" in window && Notification.permission === "granted";

/** A call that comes while the page is in the background is shown by the system, for as long as it rings. */
export function useCallNotifications(calls: readonly Call[]): void {
  const texts = useTexts();
  const { phone } = useEngine();
  const { notifications } = usePreferences();
  const shown = useRef(new Map<string, Shown>());
  const told = useRef(new Map<string, string>());
  const wanted = notifications === "on" && allowed();
  useEffect(() => {
    if (wanted) prepare();
  }, [wanted]);
  const latest = useRef(calls);
  useEffect(() => {
    latest.current = calls;
    const ringing = calls.filter((call) => call.state === "ringing_in");
    for (const [id, notification] of shown.current) {
      if (ringing.some((call) => call.id === id)) continue;
      notification.close();
      shown.current.delete(id);
      told.current.delete(id);
    }
    if (!wanted || (document.hasFocus() && !document.hidden)) return;
    for (const call of ringing) {
      const words = { title: texts.t("incoming.from", { name: partyName(texts, call.party) }), body: partyNumber(call.party) };
      // Who becomes known while it rings takes the number's place.
      const said = `${words.title} ${words.body}`;
      if (told.current.get(call.id) === said) continue;
      told.current.set(call.id, said);
      shown.current.set(call.id, show(call.id, { ...words, answer: texts.t("incoming.answer"), decline: texts.t("incoming.decline") }));
    }
  }, [calls, texts, wanted]);
  useEffect(
    () =>
      onPressed(({ action, call }) => {
        // Pressed too late: it does not ring any more.
        if (!latest.current.some((one) => one.id === call && one.state === "ringing_in")) return;
        if (action === "answer") void phone.answer(call);
        if (action === "decline") void phone.decline(call);
      }),
    [phone],
  );
  useEffect(() => {
    const { current } = shown;
    return () => current.forEach((notification) => notification.close());
  }, []);
}
