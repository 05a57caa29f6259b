import { useSyncExternalStore } from "react";

import type { Engine } from "../engine/engine";
import { useEngine } from "../engine/hooks";
import type { MediaView } from "./media";
import { Media } from "./media";

const made = new WeakMap<Engine, Media>();

/** The one that carries sound and pictures in this window. */
export function useMediaOwner(): Media {
  const engine = useEngine();
  let media = made.get(engine);
  if (!media) made.set(engine, (media = new Media(engine.phone)));
  return media;
}

/** Sound and pictures of a call in this window. */
export function useMediaView(call: string): MediaView {
  const media = useMediaOwner();
  return useSyncExternalStore(media.subscribe, () => media.view(call));
}
