/** Own sounds: the double ring, the tone of ringing at the other side, keys. Synthesised, so that nothing is loaded. */
import { preferences } from "../engine/prefs";

type Sinkable = AudioContext & { setSinkId?: (id: string) => Promise<void> };

let shared: Sinkable | null = null;

/** A context that waits for a click may be closed before it came: then nobody misses it. */
function wake(context: AudioContext): void {
  if (context.state === "suspended") context.resume().catch(() => undefined);
}

/** The window's audio context. Until the first click of the person a browser may keep it silent. */
export function audioContext(): AudioContext {
  shared ??= new AudioContext();
  wake(shared);
  return shared;
}

interface Note {
  frequencies: readonly number[];
  /** Seconds from the beginning of the pattern. */
  from: number;
  until: number;
}

/** A repeated pattern of notes, with soft edges. Returns how to end it. */
function repeat(context: AudioContext, notes: readonly Note[], length: number, volume: number): () => void {
  const out = context.createGain();
  out.gain.value = volume;
  out.connect(context.destination);
  const play = () => {
    const start = context.currentTime + 0.02;
    for (const note of notes) {
      const envelope = context.createGain();
      envelope.gain.setValueAtTime(0, start + note.from);
      envelope.gain.linearRampToValueAtTime(1 / note.frequencies.length, start + note.from + 0.02);
      envelope.gain.setValueAtTime(1 / note.frequencies.length, start + note.until - 0.06);
      envelope.gain.linearRampToValueAtTime(0, start + note.until);
      envelope.connect(out);
      for (const frequency of note.frequencies) {
        const tone = context.createOscillator();
        tone.frequency.value = frequency;
        tone.connect(envelope);
        tone.start(start + note.from);
        tone.stop(start + note.until);
      }
    }
  };
  play();
  const timer = length ? window.setInterval(play, length * 1000) : 0;
  return () => {
    window.clearInterval(timer);
    out.gain.setTargetAtTime(0, context.currentTime, 0.02);
    window.setTimeout(() => out.disconnect(), 200);
  };
}

const ring = (): Note[] => [
  { frequencies: [660, 880], from: 0, until: 0.4 },
  { frequencies: [660, 880], from: 0.6, until: 1 },
];

/** The double ring: 0.4 s on, 0.2 s off, 0.4 s on, 2 s off; on the device for ringing. */
export function startRinging(quiet = false): () => void {
  const { ringDevice, ringVolume } = preferences();
  const context: Sinkable = new AudioContext();
  wake(context);
  let stop: (() => void) | null = null;
  let over = false;
  const begin = () => {
    if (!over) stop = repeat(context, ring(), 3, (ringVolume / 100) * (quiet ? 0.15 : 0.6));
  };
  // A device that is gone leaves the system's own.
  if (ringDevice && context.setSinkId) context.setSinkId(ringDevice).then(begin, begin);
  else begin();
  return () => {
    over = true;
    stop?.();
    window.setTimeout(() => void context.close(), 300);
  };
}

/** What a caller hears while it rings at the other side, where the network sends no tone of its own. */
export const startRingback = () => repeat(audioContext(), [{ frequencies: [425], from: 0, until: 1 }], 5, 0.12);

/** Busy, or no way there: three short ones. */
export function playFailed(): void {
  const notes = [0, 0.4, 0.8].map((from) => ({ frequencies: [425], from, until: from + 0.2 }));
  repeat(audioContext(), notes, 0, 0.12);
}

/** To hear a loudspeaker: three rising notes. Returns when it is over. */
export async function playTest(speaker: string): Promise<void> {
  const context: Sinkable = new AudioContext();
  if (speaker && context.setSinkId) await context.setSinkId(speaker).catch(() => undefined);
  const notes = [440, 554, 659].map((frequency, at) => ({ frequencies: [frequency], from: at * 0.25, until: at * 0.25 + 0.3 }));
  repeat(context, notes, 0, 0.3);
  await new Promise((resolve) => window.setTimeout(resolve, 1200));
  await context.close();
}

const rows = [697, 770, 852, 941];
const columns = [1209, 1336, 1477];
const pad = "123456789*0#";

/** What one hears oneself of a key. */
export function playKey(key: string): void {
  const at = pad.indexOf(key);
  const frequencies = [rows[Math.floor(at / 3)], columns[at % 3]].filter((one) => one !== undefined);
  if (at >= 0) repeat(audioContext(), [{ frequencies, from: 0, until: 0.16 }], 0, 0.1);
}

/** Watch the level of a stream, 0 to 1, about ten times a second. Returns how to end it. */
export function watchLevel(stream: MediaStream, onLevel: (level: number) => void): () => void {
  if (!stream.getAudioTracks().length) return () => undefined;
  const context = audioContext();
  const source = context.createMediaStreamSource(stream);
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = window.setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // 60 dB from nothing to full.
    onLevel(power ? Math.max(0, Math.min(1, 1 + (10 * Math.log10(power)) / 60)) : 0);
  }, 100);
  return () => {
    window.clearInterval(timer);
    source.disconnect();
  };
}
