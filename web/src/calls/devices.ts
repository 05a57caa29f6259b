/** Microphone, camera, loudspeaker: got once for all calls, given back with the last one, and each refusal in a sentence. */
import { preferences } from "../engine/prefs";
import type { MessageId } from "../texts/catalogue";

export type Kind = "microphone" | "camera";

/** The browser does not give a device; `sentence` says why and what to do. */
export class DeviceError extends Error {
  constructor(readonly sentence: MessageId) {
    super(sentence);
  }
}

const sentences: Readonly<Record<Kind, Readonly<Record<string, MessageId>>>> = {
  microphone: {
    NotAllowedError: "media.microphone.blocked",
    SecurityError: "media.microphone.blocked",
    NotFoundError: "media.microphone.none",
    NotReadableError: "media.microphone.busy",
    AbortError: "media.microphone.busy",
  },
  camera: {
    NotAllowedError: "media.camera.blocked",
    SecurityError: "media.camera.blocked",
    NotFoundError: "media.camera.none",
    NotReadableError: "media.camera.busy",
    AbortError: "media.camera.busy",
  },
};
const others: Readonly<Record<Kind, MessageId>> = { microphone: "media.microphone.fails", camera: "media.camera.fails" };

function constraints(kind: Kind, device: string): MediaStreamConstraints {
  const chosen = device ? { deviceId: { exact: device } } : {};
  const { cleanSound } = preferences();
  const clean = { echoCancellation: cleanSound, noiseSuppression: cleanSound, autoGainControl: cleanSound };
  return kind === "microphone"
    ? { audio: { ...chosen, ...clean } }
    : { video: { ...chosen, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } } };
}

/** Ask the browser for a device. Raises DeviceError. */
export async function open(kind: Kind, device = preferences()[kind]): Promise<MediaStreamTrack> {
  // The browser hands devices only to pages of this computer or over https; its types don't say so.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) throw new DeviceError("media.insecure");
  try {
    const stream = await devices.getUserMedia(constraints(kind, device));
    const track = stream.getTracks()[0];
    if (!track) throw new DeviceError(others[kind]);
    return track;
  } catch (error) {
    // A device that was unplugged since it was chosen: the system's own takes its place.
    if (error instanceof DOMException && error.name === "OverconstrainedError" && device) return open(kind, "");
    if (error instanceof DeviceError) throw error;
    throw new DeviceError((error instanceof DOMException && sentences[kind][error.name]) || others[kind]);
  }
}

/** A device that several calls share: opened with the first one, closed with the last, so that no light stays on. */
export class Source {
  private asked: Promise<MediaStreamTrack> | null = null;

  constructor(
    private readonly kind: Kind,
    /** It went by itself: unplugged, or taken away in the browser's bar. */
    private readonly onGone: () => void,
  ) {}

  /** Raises DeviceError. */
  get(): Promise<MediaStreamTrack> {
    this.asked ??= open(this.kind).then(
      (track) => {
        track.onended = () => {
          this.asked = null;
          this.onGone();
        };
        return track;
      },
      (error: unknown) => {
        this.asked = null;
        throw error;
      },
    );
    return this.asked;
  }

  release(): void {
    const asked = this.asked;
    this.asked = null;
    asked?.then(
      (track) => {
        track.onended = null;
        track.stop();
      },
      () => undefined,
    );
  }
}

/** The devices that a page may choose from; without names until the browser was asked for one of them. */
export async function list(): Promise<readonly MediaDeviceInfo[]> {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  return devices ? devices.enumerateDevices() : [];
}

/** Whether a sound can be sent to a chosen loudspeaker in this browser. */
export const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype;
