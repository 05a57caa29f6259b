/** One WebRTC connection between this page and its engine, for one generation of a call's sound and pictures. */

export interface Measured {
  /** Of 100 packets in the last second. */
  loss: number;
  /** Milliseconds. */
  jitter: number;
  delay: number;
  width: number;
  height: number;
  /** Pictures a second. */
  frames: number;
}

export interface Listener {
  onConnected: () => void;
  onTracks: () => void;
  /** `closed`: by the engine, which gave the sound to somebody else or ended it. */
  onLost: (closed: boolean) => void;
}

const GATHER_AT_MOST = 2000;
/** Preferred first: the redundant form of Opus (RFC 2198) stands losses that Opus alone does not. */
const ORDER = ["audio/red", "audio/opus"];

function preferRedundancy(transceiver: RTCRtpTransceiver): void {
  const known = RTCRtpReceiver.getCapabilities("audio")?.codecs ?? [];
  const rank = (codec: { mimeType: string }) => {
    const at = ORDER.indexOf(codec.mimeType.toLowerCase());
    return at < 0 ? ORDER.length : at;
  };
  if (known.length) transceiver.setCodecPreferences([...known].sort((a, b) => rank(a) - rank(b)));
}

/** Wait until all addresses of this computer are in the offer: they are few, and no server is asked. */
function gathered(connection: RTCPeerConnection): Promise<void> {
  if (connection.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      window.clearTimeout(timer);
      connection.removeEventListener("icegatheringstatechange", check);
      resolve();
    };
    const check = () => connection.iceGatheringState === "complete" && done();
    const timer = window.setTimeout(done, GATHER_AT_MOST);
    connection.addEventListener("icegatheringstatechange", check);
  });
}

type Report = Record<string, number | string | boolean | undefined> & { type: string };
const amount = (report: Report | undefined, name: string) => {
  const value = report?.[name];
  return typeof value === "number" ? value : 0;
};

export class Connection {
  readonly remote = new MediaStream();
  private readonly connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
  private audio: RTCRtpSender | null = null;
  private video: RTCRtpSender | null = null;
  private closed = false;
  private received = 0;
  private lost = 0;

  constructor(private readonly listener: Listener) {
    this.connection.ontrack = ({ track }) => {
      this.remote.addTrack(track);
      track.onended = () => this.remote.removeTrack(track);
      listener.onTracks();
    };
    this.connection.onconnectionstatechange = () => {
      if (this.closed) return;
      if (this.connection.connectionState === "connected") listener.onConnected();
      if (this.connection.connectionState === "failed") listener.onLost(false);
    };
  }

  /** Connect. `exchange` brings the engine's answer for an offer; what it raises is raised here. */
  async open(
    microphone: MediaStreamTrack | null,
    camera: MediaStreamTrack | null,
    pictures: boolean,
    exchange: (sdp: string) => Promise<string>,
  ): Promise<void> {
    const { connection } = this;
    const sound = connection.addTransceiver(microphone ?? "audio", { direction: microphone ? "sendrecv" : "recvonly" });
    preferRedundancy(sound);
    this.audio = sound.sender;
    if (pictures) this.video = connection.addTransceiver(camera ?? "video", { direction: camera ? "sendrecv" : "recvonly" }).sender;
    await connection.setLocalDescription();
    await gathered(connection);
    const sdp = await exchange(connection.localDescription?.sdp ?? "");
    if (this.closed) return;
    await connection.setRemoteDescription({ type: "answer", sdp });
    const { transport } = sound.sender;
    if (!transport) return;
    transport.onstatechange = () => {
      if (transport.state === "closed" && !this.closed) this.listener.onLost(true);
    };
  }

  setMicrophone = (track: MediaStreamTrack | null) => this.audio?.replaceTrack(track);
  setCamera = (track: MediaStreamTrack | null) => this.video?.replaceTrack(track);

  /** What came in since the last time. */
  async measure(): Promise<Measured> {
    const reports: Report[] = [];
    (await this.connection.getStats()).forEach((report: Report) => reports.push(report));
    const inbound = (kind: string) => reports.find((report) => report.type === "inbound-rtp" && report.kind === kind);
    const sound = inbound("audio");
    const picture = inbound("video");
    const path = reports.find((report) => report.type === "candidate-pair" && report.nominated === true && report.state === "succeeded");
    const lost = Math.max(0, amount(sound, "packetsLost") - this.lost);
    const received = Math.max(0, amount(sound, "packetsReceived") - this.received);
    this.lost = amount(sound, "packetsLost");
    this.received = amount(sound, "packetsReceived");
    return {
      loss: lost + received ? (100 * lost) / (lost + received) : 0,
      jitter: 1000 * amount(sound, "jitter"),
      delay: 1000 * amount(path, "currentRoundTripTime"),
      width: amount(picture, "frameWidth"),
      height: amount(picture, "frameHeight"),
      frames: amount(picture, "framesPerSecond"),
    };
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.connection.ontrack = null;
    this.connection.close();
    for (const track of this.remote.getTracks()) this.remote.removeTrack(track);
  }
}
