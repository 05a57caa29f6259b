/**
 * The sound and the pictures of calls, in this window: a new connection whenever a call's `media` rises, the old one
 * until the new one is there, and every device given back with the last call that needs it.
 */
import { RefusedError } from "../engine/link";
import type { Phone } from "../engine/phone";
import { preferences } from "../engine/prefs";
import type { MessageId } from "../texts/catalogue";
import type { Call } from "../wire";
import { Claim } from "./claims";
import { Connection } from "./connection";
import { DeviceError, Source } from "./devices";

export interface MediaView {
  state: "none" | "connecting" | "connected" | "elsewhere" | "failed";
  /** What does not work, in sentences. */
  problems: readonly MessageId[];
  remote: MediaStream | null;
  /** The own picture. */
  camera: MediaStream | null;
  /** The own sound, for its level. */
  microphone: MediaStream | null;
  /** The browser plays the call only after a click. */
  silent: boolean;
}

export const noMedia: MediaView = { state: "none", problems: [], remote: null, camera: null, microphone: null, silent: false };

const sends = (call: Call) => call.video === "sending" || call.video === "both";
const wanted = (call: Call) => call.here && call.media > 0 && call.state !== "ended" && call.state !== "ringing_in";
/** A window that did not take the call leaves the one that did a moment. */
const POLITE = 400;
const GIVEN_AWAY_AFTER = 1500;
const RETRIES = [500, 1000, 2000, 4000, 8000];
const MEASURE_EVERY = 1000;

interface Entry {
  call: Call;
  claim: Claim | null;
  /** The generation that was connected last, or is being. */
  media: number;
  busy: boolean;
  attempts: number;
  timer: number;
  connection: Connection | null;
  microphone: MediaStreamTrack | null;
  audio: HTMLAudioElement;
  view: MediaView;
}

export class Media {
  private readonly entries = new Map<string, Entry>();
  private readonly listeners = new Set<() => void>();
  private readonly microphone = new Source("microphone", () => void this.renew("microphone"));
  private readonly camera = new Source("camera", () => void this.renew("camera"));
  /** Calls whose pictures were asked for and are not agreed yet: their camera is held for them. */
  private readonly asking = new Set<string>();
  private measuring = 0;

  constructor(private readonly phone: Phone) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  view = (call: string): MediaView => this.entries.get(call)?.view ?? noMedia;

  /** Do what the calls of this moment need. */
  follow(calls: readonly Call[]): void {
    const here = new Map(calls.filter(wanted).map((call) => [call.id, call]));
    for (const id of [...this.entries.keys()]) if (!here.has(id)) this.drop(id);
    for (const call of here.values()) {
      const entry = this.entries.get(call.id) ?? this.begin(call);
      entry.call = call;
      if (sends(call)) this.asking.delete(call.id);
      this.applyMute(entry);
      this.ensure(entry);
    }
    for (const id of [...this.asking]) if (!calls.some((call) => call.id === id && call.state !== "ended")) this.asking.delete(id);
    this.giveBack();
    if (this.entries.size && !this.measuring) this.measuring = window.setInterval(() => this.measure(), MEASURE_EVERY);
    if (!this.entries.size) {
      window.clearInterval(this.measuring);
      this.measuring = 0;
    }
  }

  /** Carry the sound of a call in this window from now on. */
  takeOver(call: string): void {
    const entry = this.entries.get(call);
    if (!entry) return;
    entry.claim?.release();
    entry.claim = null;
    entry.media = 0;
    this.set(entry, { state: "connecting" });
    this.claim(entry, true);
  }

  /** Show oneself: the camera first, so that a refusal is said before the other side is asked. Raises DeviceError. */
  async startVideo(call: string): Promise<void> {
    this.asking.add(call);
    try {
      await this.camera.get();
    } catch (error) {
      this.asking.delete(call);
      this.giveBack();
      throw error;
    }
    await this.phone.video(call, true);
  }

  /** Play what the browser did not want to play before a click. */
  play(call: string): void {
    const entry = this.entries.get(call);
    if (entry) this.playAudio(entry);
  }

  /** A device was chosen: it takes the place of the one in use, in every call. */
  async renew(kind: "microphone" | "camera"): Promise<void> {
    const source = kind === "microphone" ? this.microphone : this.camera;
    const users = [...this.entries.values()].filter((entry) => entry.connection && (kind === "microphone" || sends(entry.call)));
    source.release();
    for (const entry of users) {
      if (kind === "microphone") await entry.connection?.setMicrophone(await this.ownMicrophone(entry));
      else await entry.connection?.setCamera(await this.ownCamera(entry));
    }
  }

  /** The loudspeaker was chosen. */
  renewSpeaker(): void {
    for (const entry of this.entries.values()) void this.chooseSpeaker(entry);
  }

  close(): void {
    this.follow([]);
  }

  private begin(call: Call): Entry {
    const audio = document.createElement("audio");
    audio.autoplay = true;
    audio.hidden = true;
    audio.dataset.call = call.id;
    document.body.append(audio);
    const entry: Entry = {
      ...{ call, claim: null, media: 0, busy: false, attempts: 0, timer: 0, connection: null, microphone: null, audio },
      view: { ...noMedia, state: "connecting" },
    };
    this.entries.set(call.id, entry);
    void this.chooseSpeaker(entry);
    const own = this.phone.mine.has(call.id);
    if (own) this.claim(entry, true);
    else entry.timer = window.setTimeout(() => this.claim(entry, false), POLITE);
    return entry;
  }

  private claim(entry: Entry, steal: boolean): void {
    entry.claim = new Claim(
      `ringback-sound-${entry.call.id}`,
      () => this.ensure(entry),
      () => this.giveUp(entry),
    );
    entry.claim.ask(steal);
    if (!steal && !entry.claim.held) {
      window.setTimeout(() => {
        if (!entry.claim?.held && this.entries.get(entry.call.id) === entry) this.set(entry, { state: "elsewhere" });
      }, POLITE);
    }
  }

  private ensure(entry: Entry): void {
    if (!entry.claim?.held || entry.busy || entry.media >= entry.call.media) return;
    void this.connect(entry);
  }

  private async connect(entry: Entry): Promise<void> {
    const { call } = entry;
    entry.busy = true;
    entry.media = call.media;
    window.clearTimeout(entry.timer);
    if (entry.view.state !== "connected") this.set(entry, { state: "connecting" });
    this.set(entry, { problems: [] });
    const microphone = await this.ownMicrophone(entry);
    const camera = sends(call) ? await this.ownCamera(entry) : null;
    if (!camera && entry.view.camera) this.set(entry, { camera: null });
    const before = entry.connection;
    const connection: Connection = new Connection({
      onConnected: () => {
        if (entry.connection !== connection) return;
        entry.attempts = 0;
        before?.close();
        this.set(entry, { state: "connected" });
      },
      onTracks: () => this.set(entry, { remote: new MediaStream(connection.remote.getTracks()) }),
      onLost: (closed) => entry.connection === connection && this.lost(entry, closed),
    });
    entry.connection = connection;
    try {
      await connection.open(microphone, camera, call.video !== "none", async (sdp) => (await this.phone.connect(call.id, call.media, sdp)).sdp);
    } catch (error) {
      connection.close();
      entry.connection = before;
      this.retry(entry, error);
    }
    entry.busy = false;
    if (!this.alive(entry)) connection.close();
    else this.ensure(entry);
  }

  private retry(entry: Entry, error: unknown): void {
    if (!this.alive(entry)) return;
    const delay = RETRIES[entry.attempts];
    entry.attempts += 1;
    // A lost link says nothing about the call: it is tried again for as long as the call is there.
    if (delay === undefined && !(error instanceof RefusedError && error.reason === null)) {
      this.set(entry, { state: "failed", problems: ["media.failed"] });
      return;
    }
    entry.timer = window.setTimeout(() => {
      entry.media = 0;
      this.ensure(entry);
    }, delay ?? RETRIES.at(-1));
  }

  /** The connection ended by itself. */
  private lost(entry: Entry, closed: boolean): void {
    if (!closed) {
      this.set(entry, { state: "connecting" });
      this.retry(entry, null);
      return;
    }
    const { media } = entry.call;
    entry.timer = window.setTimeout(() => {
      // Neither the call's end nor a new generation came: another window or browser has the sound now.
      if (this.alive(entry) && entry.call.media === media && entry.media === media) this.giveUp(entry);
    }, GIVEN_AWAY_AFTER);
  }

  private giveUp(entry: Entry): void {
    this.disconnect(entry);
    entry.media = Number.MAX_SAFE_INTEGER;
    if (this.alive(entry)) this.set(entry, { ...noMedia, state: "elsewhere" });
    this.giveBack();
  }

  private alive = (entry: Entry) => this.entries.get(entry.call.id) === entry;

  private disconnect(entry: Entry): void {
    window.clearTimeout(entry.timer);
    entry.connection?.close();
    entry.connection = null;
    entry.microphone?.stop();
    entry.microphone = null;
    entry.audio.srcObject = null;
    entry.claim?.release();
    entry.claim = null;
  }

  private drop(id: string): void {
    const entry = this.entries.get(id);
    if (!entry) return;
    this.entries.delete(id);
    this.disconnect(entry);
    entry.audio.remove();
    this.tell();
  }

  /** The microphone for one call, which can be muted without the others; null where the browser refuses it. */
  private async ownMicrophone(entry: Entry): Promise<MediaStreamTrack | null> {
    try {
      const track = (await this.microphone.get()).clone();
      entry.microphone?.stop();
      entry.microphone = track;
      this.applyMute(entry);
      this.set(entry, { microphone: new MediaStream([track]) });
      return track;
    } catch (error) {
      this.say(entry, error);
      return null;
    }
  }

  private async ownCamera(entry: Entry): Promise<MediaStreamTrack | null> {
    try {
      const track = await this.camera.get();
      this.set(entry, { camera: new MediaStream([track]) });
      return track;
    } catch (error) {
      this.say(entry, error);
      return null;
    }
  }

  private say(entry: Entry, error: unknown): void {
    if (!(error instanceof DeviceError)) throw error;
    this.set(entry, { problems: [...entry.view.problems, error.sentence] });
  }

  private applyMute({ call, microphone }: Entry): void {
    if (microphone) microphone.enabled = !call.muted && call.state !== "held";
  }

  private giveBack(): void {
    const users = [...this.entries.values()].filter((entry) => entry.claim?.held);
    if (!users.length) this.microphone.release();
    if (!this.asking.size && !users.some((entry) => sends(entry.call))) {
      this.camera.release();
      for (const entry of users) if (entry.view.camera) this.set(entry, { camera: null });
    }
  }

  private async chooseSpeaker({ audio }: Entry): Promise<void> {
    const { speaker } = preferences();
    if (!("setSinkId" in audio)) return;
    // A loudspeaker that was unplugged since it was chosen: the system's own takes its place.
    await audio.setSinkId(speaker).catch(() => audio.setSinkId(""));
  }

  private playAudio(entry: Entry): void {
    entry.audio.srcObject = entry.view.remote;
    entry.audio.play().then(
      () => entry.view.silent && this.set(entry, { silent: false }),
      (error: unknown) => {
        if (error instanceof DOMException && error.name === "NotAllowedError") this.set(entry, { silent: true });
      },
    );
  }

  private measure(): void {
    for (const entry of this.entries.values()) {
      if (entry.view.state !== "connected" || !entry.connection) continue;
      // Without a link there is nobody to tell; the next second tells it again.
      entry.connection.measure().then((measured) => this.phone.measured({ call: entry.call.id, ...measured })).catch(() => undefined);
    }
  }

  private set(entry: Entry, change: Partial<MediaView>): void {
    entry.view = { ...entry.view, ...change };
    if (change.remote) this.playAudio(entry);
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
