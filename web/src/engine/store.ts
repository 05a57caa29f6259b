/** Holds the state and tells subscribers, one row at a time and at most once a frame, however fast events come. */
import type { AnyEvent, MessagesChanged, VoiceMessagesChanged } from "../wire";
import type { LinkState } from "./link";
import { apply, emptyState } from "./state";

type Listener = () => void;

export class Store {
  readonly state = emptyState();
  link: LinkState = { open: false, lostAt: null, nextTryAt: null };
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly versions = new Map<string, number>();
  private readonly arrivals = new Set<(event: MessagesChanged) => void>();
  private readonly voices = new Set<(event: VoiceMessagesChanged) => void>();
  private changed = new Set<string>();
  private scheduled = false;

  take = (event: AnyEvent): void => {
    this.touch(apply(this.state, event));
    if (event.event === "MessagesChanged" && event.live) for (const listener of this.arrivals) listener(event);
    if (event.event === "VoiceMessagesChanged" && event.arrived.length) for (const listener of this.voices) listener(event);
  };

  setLink = (link: LinkState): void => {
    this.link = link;
    this.touch(["link"]);
  };

  touch(keys: readonly string[]): void {
    for (const key of keys) {
      this.versions.set(key, (this.versions.get(key) ?? 0) + 1);
      this.changed.add(key);
    }
    if (this.scheduled || !this.changed.size) return;
    this.scheduled = true;
    // A hidden page paints no frames, but its title and notifications must still follow.
    if (document.hidden) setTimeout(this.flush, 0);
    else requestAnimationFrame(this.flush);
  }

  subscribe = (key: string, listener: Listener): (() => void) => {
    const set = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, set.add(listener));
    return () => {
      set.delete(listener);
      if (!set.size) this.listeners.delete(key);
    };
  };

  /** Be told of messages that are worth a notification, as they come. */
  onArrival(listener: (event: MessagesChanged) => void): () => void {
    this.arrivals.add(listener);
    return () => this.arrivals.delete(listener);
  }

  /** Be told of voice messages that are worth a notification. */
  onVoice(listener: (event: VoiceMessagesChanged) => void): () => void {
    this.voices.add(listener);
    return () => this.voices.delete(listener);
  }

  version(key: string): number {
    return this.versions.get(key) ?? 0;
  }

  private flush = (): void => {
    const keys = this.changed;
    this.changed = new Set();
    this.scheduled = false;
    const once = new Set<Listener>();
    for (const key of keys) for (const listener of this.listeners.get(key) ?? []) once.add(listener);
    for (const listener of once) listener();
  };
}
