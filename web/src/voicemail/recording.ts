/** Recording with the microphone of this computer, as a WAV file that every voicemail takes. */
import { open } from "../calls/devices";
import { watchLevel } from "../calls/sound";

const RATE = 16_000;

/** 16-bit linear samples as a WAV file. */
export function wavOf(samples: Float32Array, rate: number): Blob {
  const data = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const words = (at: number, text: string) => new TextEncoder().encode(text).forEach((octet, place) => data.setUint8(at + place, octet));
  words(0, "RIFF");
  data.setUint32(4, 36 + samples.length * 2, true);
  words(8, "WAVEfmt ");
  data.setUint32(16, 16, true);
  data.setUint16(20, 1, true);
  data.setUint16(22, 1, true);
  data.setUint32(24, rate, true);
  data.setUint32(28, rate * 2, true);
  data.setUint16(32, 2, true);
  data.setUint16(34, 16, true);
  words(36, "data");
  data.setUint32(40, samples.length * 2, true);
  samples.forEach((sample, at) => data.setInt16(44 + at * 2, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true));
  return new Blob([data], { type: "audio/wav" });
}

/** What the browser recorded, decoded and at the rate of wideband speech. */
async function converted(recorded: Blob): Promise<Blob> {
  const context = new AudioContext();
  try {
    const sound = await context.decodeAudioData(await recorded.arrayBuffer());
    const mixer = new OfflineAudioContext(1, Math.max(1, Math.ceil(sound.duration * RATE)), RATE);
    const source = mixer.createBufferSource();
    source.buffer = sound;
    source.connect(mixer.destination);
    source.start();
    return wavOf((await mixer.startRendering()).getChannelData(0), RATE);
  } finally {
    await context.close();
  }
}

/** One recording under way. */
export interface Recording {
  /** End it; the WAV file. */
  stop: () => Promise<Blob>;
  /** End it; nothing is kept. */
  drop: () => void;
}

/** Begin. `onLevel` hears how loud the microphone is, 0 to 1. Raises DeviceError. */
export async function record(onLevel: (level: number) => void): Promise<Recording> {
  const track = await open("microphone");
  const stream = new MediaStream([track]);
  const unwatch = watchLevel(stream, onLevel);
  const recorder = new MediaRecorder(stream);
  const parts: Blob[] = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const over = new Promise<void>((resolve) => {
    recorder.onstop = () => resolve();
  });
  recorder.start(1000);
  const end = () => {
    unwatch();
    if (recorder.state !== "inactive") recorder.stop();
    track.stop();
  };
  return {
    stop: async () => {
      end();
      await over;
      return converted(new Blob(parts, { type: recorder.mimeType }));
    },
    drop: end,
  };
}
