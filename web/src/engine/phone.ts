/** What a view may do with calls. A call that can't be begun leaves its reason where every place shows it. */
import type { CallMade, MediaAnswer, NumberPlan, PageQuality, RecentCalls } from "../wire";
import type { Place } from "./place";
import { go, readPlace } from "./place";
import type { Order } from "./link";
import { dropCall, mergeRecents } from "./state";
import type { Store } from "./store";

type Ask = (order: Order) => Promise<unknown>;
/** As many as come at once. */
export const RECENTS_PAGE = 50;

export class Phone {
  /** Why something could not be done, for as long as nobody has dismissed it. */
  problem: unknown = null;
  /** Calls that were begun or answered in this window: it is the one to carry their sound. */
  readonly mine = new Set<string>();
  /** Calls that the person ended here: nothing is to be shown of their end. */
  readonly left = new Set<string>();
  /** Where the person was when the call began: its end leads back there. */
  private before: Place | null = null;

  constructor(
    private readonly store: Store,
    private readonly ask: Ask,
  ) {}

  /** Call a number, an address or a person, and show the call. Where the company set it, calls begin with pictures. */
  start = async (to: string, video = this.store.state.features?.start_with_video ?? false, consults = ""): Promise<void> => {
    const made = (await this.tried({ do: "StartCall", to, video, consults })) as CallMade | null;
    if (made) this.show(made);
  };

  add = async (call: string, to: string): Promise<void> => {
    const made = (await this.tried({ do: "AddToCall", call, to })) as CallMade | null;
    if (made) this.mine.add(made.call.id);
  };

  pickUp = async (number = ""): Promise<void> => {
    const made = (await this.tried({ do: "PickUp", number })) as CallMade | null;
    if (made) this.show(made);
  };

  answer = async (call: string, video = false, endOther = false): Promise<void> => {
    this.mine.add(call);
    this.open(call);
    await this.tried({ do: "AnswerCall", call, video, end_other: endOther });
  };

  decline = (call: string) => this.leave(call, { do: "DeclineCall", call });
  divert = (call: string) => this.leave(call, { do: "DivertCall", call });
  end = (call: string) => this.leave(call, { do: "EndCall", call });
  hold = (call: string, held: boolean) => this.tried({ do: "HoldCall", call, held });
  mute = (call: string, muted: boolean) => this.tried({ do: "MuteCall", call, muted });
  digits = (call: string, digits: string) => this.tried({ do: "SendDigits", call, digits });
  transfer = (call: string, to: string) => this.tried({ do: "TransferCall", call, to });
  complete = (call: string, consult: string) => this.tried({ do: "CompleteTransfer", call, consult });
  merge = (call: string, other: string) => this.tried({ do: "MergeCalls", call, other });
  park = (call: string) => this.tried({ do: "ParkCall", call });
  move = (call: string, device: string) => this.tried({ do: "MoveCall", call, device });
  video = (call: string, on: boolean) => this.tried({ do: "SetVideo", call, on });
  choose = (device: string) => this.tried({ do: "ChooseDevice", device });
  forward = (to: string) => this.tried({ do: "SetForward", to });
  doNotDisturb = (on: boolean) => this.tried({ do: "SetDoNotDisturb", on });
  lowBandwidth = (on: boolean) => this.tried({ do: "SetLowBandwidth", on });
  seen = () => this.ask({ do: "SeeRecents" });
  remove = (recent: string) => this.tried({ do: "RemoveRecent", recent });

  plan = async (text: string) => (await this.ask({ do: "PlanNumber", text })) as NumberPlan;
  connect = async (call: string, media: number, sdp: string) => (await this.ask({ do: "ConnectMedia", call, media, sdp })) as MediaAnswer;
  measured = (quality: Omit<PageQuality, "do" | "n">) => this.ask({ do: "PageQuality", ...quality });

  /** Get calls before the oldest one that is there. Returns whether nothing older is kept. */
  older = async (): Promise<boolean> => {
    const before = [...this.store.state.recents.keys()].at(-1) ?? null;
    const page = (await this.ask({ do: "GetRecents", before, limit: RECENTS_PAGE })) as RecentCalls;
    this.store.touch(mergeRecents(this.store.state, page.recents));
    return page.complete;
  };

  /** The end of a call was shown. */
  forget = (call: string): void => {
    this.mine.delete(call);
    this.left.delete(call);
    this.store.touch(dropCall(this.store.state, call));
    const here = readPlace(window.location.pathname);
    if (here.name !== "calls" || here.id !== call) return;
    const other = [...this.store.state.calls.values()].find((one) => one.state !== "ended" && one.state !== "ringing_in");
    if (other) go("calls", other.id, true);
    else go(this.before?.name ?? "calls", this.before?.id, true);
  };

  dismiss = (): void => this.setProblem(null);

  private show({ call }: CallMade): void {
    this.mine.add(call.id);
    const { state } = this.store;
    if (!state.calls.has(call.id)) {
      state.calls.set(call.id, call);
      this.store.touch(["calls", `call:${call.id}`]);
    }
    this.open(call.id);
  }

  private async leave(call: string, order: Order): Promise<void> {
    this.left.add(call);
    await this.tried(order);
    if (this.problem) this.left.delete(call);
  }

  private open(call: string): void {
    const here = readPlace(window.location.pathname);
    if (here.name !== "calls" || !this.store.state.calls.has(here.id ?? "")) this.before = here;
    go("calls", call);
  }

  private async tried(order: Order): Promise<unknown> {
    if (this.problem) this.setProblem(null);
    try {
      return await this.ask(order);
    } catch (error) {
      this.setProblem(error);
      return null;
    }
  }

  private setProblem(problem: unknown): void {
    this.problem = problem;
    this.store.touch(["problem"]);
  }
}
