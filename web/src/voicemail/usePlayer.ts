/** Playing one sound: where it stands, how fast, on which loudspeaker. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { preferences, setPreferences, usePreferences } from "../engine/prefs";

export const SPEEDS = [0.75, 1, 1.25, 1.5, 2] as const;

export interface Player {
  playing: boolean;
  /** Seconds. */
  at: number;
  /** The browser can't play it. */
  broken: boolean;
  toggle: () => void;
  pause: () => void;
  seek: (seconds: number) => void;
  setSpeed: (speed: number) => void;
}

/** `url`: null, there is nothing to play yet. `onStart` is called whenever it begins to play. */
export function usePlayer(url: string | null, seconds: number, onStart?: () => void): Player {
  const { speaker, voiceSpeed } = usePreferences();
  const audio = useMemo(() => new Audio(), []);
  const [playing, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const [broken, setBroken] = useState(false);
  const begun = useRef(onStart);
  useEffect(() => {
    begun.current = onStart;
  });
  useEffect(() => {
    let frame = 0;
    const follow = () => {
      setAt(audio.currentTime);
      frame = audio.paused ? 0 : requestAnimationFrame(follow);
    };
    const listeners: Readonly<Record<string, () => void>> = {
      play: () => {
        setPlaying(true);
        begun.current?.();
        if (!frame) frame = requestAnimationFrame(follow);
      },
      pause: () => setPlaying(false),
      ended: () => {
        setPlaying(false);
        setAt(audio.duration);
      },
      seeked: () => setAt(audio.currentTime),
      error: () => setBroken(Boolean(audio.src)),
    };
    for (const [name, listener] of Object.entries(listeners)) audio.addEventListener(name, listener);
    return () => {
      cancelAnimationFrame(frame);
      for (const [name, listener] of Object.entries(listeners)) audio.removeEventListener(name, listener);
      audio.pause();
    };
  }, [audio]);
  useEffect(() => {
    setBroken(false);
    setAt(0);
    if (url) audio.src = url;
    else audio.removeAttribute("src");
    audio.playbackRate = audio.defaultPlaybackRate = preferences().voiceSpeed;
  }, [audio, url]);
  useEffect(() => {
    audio.playbackRate = audio.defaultPlaybackRate = voiceSpeed;
  }, [audio, voiceSpeed]);
  useEffect(() => {
    // A loudspeaker that is gone leaves the system's own.
    if ("setSinkId" in audio) audio.setSinkId(speaker).catch(() => undefined);
  }, [audio, speaker]);
  const seek = useCallback(
    (to: number) => {
      const place = Math.max(0, Math.min(seconds, to));
      audio.currentTime = place;
      setAt(place);
    },
    [audio, seconds],
  );
  return {
    playing,
    at: Math.min(at, seconds || at),
    broken,
    toggle: useCallback(() => {
      if (!audio.paused) audio.pause();
      else audio.play().catch(() => setBroken(true));
    }, [audio]),
    pause: useCallback(() => audio.pause(), [audio]),
    seek,
    setSpeed: useCallback((speed: number) => setPreferences({ voiceSpeed: speed }), []),
  };
}
