/** What can be done in a call, by button and by key. An action that is barred says why instead. */
import { useEffect, useMemo, useRef } from "react";

import { useEngine } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import type { Barred, Call } from "../wire";
import type { Panel } from "./CallWindow";
import { DeviceError } from "./devices";
import type { MediaView } from "./media";
import { playKey } from "./sound";
import { useMediaOwner } from "./useMediaView";

type Action = Barred["action"];

interface Props {
  call: Call;
  media: MediaView;
  onKeypad: () => void;
  onPanel: (panel: Panel) => void;
  onDigit: (digit: string) => void;
  onSay: (sentence: string) => void;
}

export interface CallActions {
  /** Why an action can't be done now; null: it can. */
  barred: (action: Action) => string | null;
  mute: () => void;
  video: () => void;
  hold: () => void;
  keypad: () => void;
  transfer: () => void;
  add: () => void;
  park: () => void;
  move: (device: string) => void;
  quality: () => void;
  devices: () => void;
  end: () => void;
  digit: (digit: string) => void;
}

export const barredBy = (call: Call, action: Action): Barred | null => call.barred.find((one) => one.action === action) ?? null;

function useActions({ call, media, onKeypad, onPanel, onDigit, onSay }: Props): CallActions {
  const { phone } = useEngine();
  const owner = useMediaOwner();
  const { t, reason } = useTexts();
  return useMemo(() => {
    const barred = (action: Action) => {
      const why = barredBy(call, action);
      if (why) return reason(why.reason);
      return call.may.includes(action) ? null : t("call.notNow");
    };
    const allowed = (action: Action, go: () => void) => () => {
      const why = barred(action);
      if (why) onSay(why);
      else go();
    };
    const shows = call.video === "sending" || call.video === "both";
    const video = () => {
      if (shows || media.camera) {
        void phone.video(call.id, false);
        return;
      }
      owner.startVideo(call.id).catch((error: unknown) => {
        if (!(error instanceof DeviceError)) throw error;
        onSay(t(error.sentence));
      });
    };
    return {
      barred,
      mute: () => void phone.mute(call.id, !call.muted),
      video: shows ? video : allowed("video", video),
      hold: call.state === "held" ? () => void phone.hold(call.id, false) : allowed("hold", () => void phone.hold(call.id, true)),
      keypad: allowed("digits", onKeypad),
      transfer: allowed("transfer", () => onPanel("transfer")),
      add: allowed("add", () => onPanel("add")),
      park: allowed("park", () => void phone.park(call.id)),
      move: (device: string) => allowed("move", () => void phone.move(call.id, device))(),
      quality: () => onPanel("quality"),
      devices: () => onPanel("devices"),
      end: () => void phone.end(call.id),
      digit: (digit: string) => {
        const why = barred("digits");
        if (why) {
          onSay(why);
          return;
        }
        onDigit(digit);
        void phone.digits(call.id, digit);
      },
    };
  }, [call, media.camera, phone, owner, t, reason, onKeypad, onPanel, onDigit, onSay]);
}

/** Keys belong to the call unless somebody writes, chooses in a list or menu, or has a dialog open. */
const isFree = (target: EventTarget | null) =>
  !(target instanceof HTMLElement && (target.matches("input, textarea, select") || target.isContentEditable || target.closest("[role='menu'], [role='dialog'], [data-call-card]")));

export function useCallKeys(props: Props): CallActions {
  const actions = useActions(props);
  const latest = useRef({ actions, ended: props.call.state === "ended" });
  useEffect(() => {
    latest.current = { actions, ended: props.call.state === "ended" };
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      const { actions: now, ended } = latest.current;
      if (ended || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !isFree(event.target)) return;
      const letter = event.key.toLowerCase();
      const byLetter: Partial<Record<string, () => void>> = { m: now.mute, v: now.video, h: now.hold, t: now.transfer, k: now.keypad, q: now.quality };
      const act = event.shiftKey ? (letter === "e" ? now.end : undefined) : byLetter[letter];
      if (act) act();
      else if (/^[0-9*#]$/u.test(event.key)) {
        playKey(event.key);
        now.digit(event.key);
      } else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);
  return actions;
}
