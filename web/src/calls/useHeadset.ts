import { useEffect, useRef } from "react";

import { useEngine } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { mainCall } from "./CallBar";
import { useMediaOwner } from "./useMediaView";
import { callName } from "./words";

const sends = (call: Call) => call.video === "sending" || call.video === "both";

/** Newer than the browser types: not every browser has them, nor takes each of these actions. */
interface Session extends Omit<MediaSession, "setActionHandler" | "setMicrophoneActive" | "setCameraActive"> {
  setActionHandler: (action: string, handler: (() => void) | null) => void;
  setMicrophoneActive?: (active: boolean) => unknown;
  setCameraActive?: (active: boolean) => unknown;
}

function set(session: Session, action: string, handler: (() => void) | null): void {
  try {
    session.setActionHandler(action, handler);
  } catch {
    // This browser does not know the action: the key does nothing, as before.
  }
}

/** Keys of a headset and of the system's own call controls: mute, camera, hang up (Media Session API). */
export function useHeadset(calls: readonly Call[]): void {
  const texts = useTexts();
  const { phone } = useEngine();
  const owner = useMediaOwner();
  const call = mainCall(calls.filter((one) => one.here));
  const latest = useRef(call);
  useEffect(() => {
    latest.current = call;
  });
  const name = call ? callName(texts, call) : "";
  const id = call?.id;
  useEffect(() => {
    const session = navigator.mediaSession as unknown as Session | undefined;
    if (!session || !id) return undefined;
    const act = (action: (one: Call) => void) => () => latest.current && action(latest.current);
    set(session, "togglemicrophone", act((one) => void phone.mute(one.id, !one.muted)));
    set(session, "hangup", act((one) => void phone.end(one.id)));
    // A camera that the browser refuses is said in the call window, where it was asked for before.
    set(session, "togglecamera", act((one) => void (sends(one) ? phone.video(one.id, false) : owner.startVideo(one.id).catch(() => undefined))));
    session.metadata = new MediaMetadata({ title: name, artist: "Ringback" });
    return () => {
      for (const action of ["togglemicrophone", "hangup", "togglecamera"]) set(session, action, null);
      session.metadata = null;
    };
  }, [id, name, phone, owner]);
  const muted = call?.muted ?? false;
  const shows = call ? sends(call) : false;
  useEffect(() => {
    const session = navigator.mediaSession as unknown as Session | undefined;
    if (!session || !id) return;
    void session.setMicrophoneActive?.(!muted);
    void session.setCameraActive?.(shows);
  }, [id, muted, shows]);
}
