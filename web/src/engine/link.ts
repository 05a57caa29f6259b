/** The WebSocket to the engine host: sends commands, hands out events, and connects again by itself. */
import type { AnyCommand, AnyEvent, Done, Reason } from "../wire";

type WithoutNumber<Command> = Command extends unknown ? Omit<Command, "n"> : never;
/** A command before it got its number. */
export type Order = WithoutNumber<AnyCommand>;

export interface LinkState {
  open: boolean;
  /** When it was lost, in milliseconds of the clock; null: never open yet, or open. */
  lostAt: number | null;
  nextTryAt: number | null;
}

/** The host could not do a command; `reason` is its sentence, or null where the connection ended first. */
export class RefusedError extends Error {
  constructor(readonly reason: Reason | null) {
    super(reason?.id ?? "the connection ended");
  }
}

interface Pending {
  order: Order;
  again: boolean;
  resolve: (value: Done["value"]) => void;
  reject: (error: RefusedError) => void;
}

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;

export class Link {
  state: LinkState = { open: false, lostAt: null, nextTryAt: null };
  private socket: WebSocket | null = null;
  private number = 0;
  private attempts = 0;
  private timer = 0;
  private readonly pending = new Map<number, Pending>();

  constructor(
    private readonly url: string,
    private readonly onEvent: (event: AnyEvent) => void,
    private readonly onState: (state: LinkState) => void,
    private readonly onOver: () => void,
  ) {}

  connect(): void {
    window.clearTimeout(this.timer);
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) return;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    let refused = true;
    socket.onopen = () => {
      refused = false;
      this.attempts = 0;
      this.setState({ open: true, lostAt: null, nextTryAt: null });
      // A message that nobody acknowledged is sent again: its id makes the second time harmless.
      for (const [n, { order }] of this.pending) socket.send(JSON.stringify({ ...order, n }));
    };
    socket.onmessage = (message: MessageEvent<string>) => this.receive(JSON.parse(message.data) as AnyEvent);
    socket.onclose = () => {
      this.lost();
      if (refused) void this.askWhether();
    };
  }

  /** A WebSocket does not tell why it was refused; an ordinary request does: 401 means that this session is over. */
  private async askWhether(): Promise<void> {
    const answer = await fetch("/", { cache: "no-store" }).catch(() => null);
    if (answer?.status !== 401) return;
    window.clearTimeout(this.timer);
    this.onOver();
  }

  /** Ask the host to do something. `again`: keep it over a lost connection until it is answered. */
  send(order: Order, again = false): Promise<Done["value"]> {
    return new Promise((resolve, reject) => {
      const open = this.socket?.readyState === WebSocket.OPEN;
      if (!open && !again) {
        reject(new RefusedError(null));
        return;
      }
      const n = ++this.number;
      this.pending.set(n, { order, again, resolve, reject });
      if (open) this.socket?.send(JSON.stringify({ ...order, n }));
    });
  }

  private receive(event: AnyEvent): void {
    if (event.event === "Done" || event.event === "Refused") {
      const waiting = this.pending.get(event.n);
      this.pending.delete(event.n);
      if (event.event === "Done") waiting?.resolve(event.value);
      else waiting?.reject(new RefusedError(event.reason));
      return;
    }
    this.onEvent(event);
  }

  private lost(): void {
    for (const [n, waiting] of this.pending) {
      if (waiting.again) continue;
      this.pending.delete(n);
      waiting.reject(new RefusedError(null));
    }
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.attempts) * (0.75 + Math.random() / 2);
    this.attempts += 1;
    this.setState({ open: false, lostAt: this.state.lostAt ?? Date.now(), nextTryAt: Date.now() + delay });
    this.timer = window.setTimeout(() => this.connect(), delay);
  }

  private setState(state: LinkState): void {
    this.state = state;
    this.onState(state);
  }
}
