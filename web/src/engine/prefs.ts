/** What a person set for this browser: kept in its local storage, the same in all its windows. */
import { useSyncExternalStore } from "react";

export interface Preferences {
  theme: "system" | "light" | "dark";
  density: "comfortable" | "compact";
  /** Per cent. */
  textSize: number;
  language: string;
  notifications: "on" | "off";
  showText: boolean;
  enterSends: boolean;
  listWidth: number;
  folded: readonly string[];
  detail: boolean;
  /** Ids of the browser's devices; empty: the system's choice. */
  microphone: string;
  speaker: string;
  camera: string;
  /** Echo, noise and level are corrected; for music they should not be. */
  cleanSound: boolean;
  ringDevice: string;
  rings: boolean;
  /** Per cent. */
  ringVolume: number;
  /** How fast voice messages are played: 1 as they were spoken. */
  voiceSpeed: number;
}

const KEY = "ringback.preferences";
const standard: Preferences = {
  theme: "system",
  density: "comfortable",
  textSize: 100,
  language: "",
  notifications: "on",
  showText: true,
  enterSends: true,
  listWidth: 332,
  folded: [],
  detail: true,
  microphone: "",
  speaker: "",
  camera: "",
  cleanSound: true,
  ringDevice: "",
  rings: true,
  ringVolume: 70,
  voiceSpeed: 1,
};

function read(): Preferences {
  try {
    return { ...standard, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>) };
  } catch {
    // A browser may forbid storage, or hold something else there: the standard is right for both.
    return standard;
  }
}

let current = read();
const listeners = new Set<() => void>();
const tell = () => listeners.forEach((listener) => listener());

export const preferences = (): Preferences => current;

export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // Without storage the choice holds until the window is closed.
  }
  tell();
}

window.addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  current = read();
  tell();
});

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const usePreferences = (): Preferences => useSyncExternalStore(subscribe, preferences);
