/** What a view may do with voicemail. */
import type { Greeting, Greetings, SetGreeting, VoiceAddresses, VoiceMessage, VoiceMessages, VoiceSound } from "../wire";
import { RefusedError, type Order } from "./link";
import { mergeVoice } from "./state";
import type { Store } from "./store";

type Ask = (order: Order) => Promise<unknown>;
export type VoiceFolder = VoiceMessage["folder"];
/** As many as come at once. */
export const VOICE_PAGE = 50;

/** What is sent: `about` and `how` say whether it answers a message. */
export interface VoiceParcel {
  recording: string;
  to: readonly string[];
  subject: string;
  urgent: boolean;
  private: boolean;
  about: string;
  how: "new" | "reply" | "replyall" | "forward";
}

export class Voicemail {
  constructor(
    private readonly store: Store,
    private readonly ask: Ask,
  ) {}

  mark = (message: string, isNew: boolean) => this.ask({ do: "MarkVoiceMessage", message, new: isNew });
  remove = (message: string, hard = false) => this.ask({ do: "DeleteVoiceMessage", message, hard });
  restore = (message: string) => this.ask({ do: "RestoreVoiceMessage", message });
  empty = () => this.ask({ do: "EmptyDeletedVoice" });
  send = (parcel: VoiceParcel) => this.ask({ do: "SendVoiceMessage", ...parcel, to: [...parcel.to] });
  drop = (recording: string) => this.ask({ do: "DropRecording", recording });
  playOnPhone = (message: string, number: string, start: number) => this.ask({ do: "PlayOnPhone", message, number, start });
  controlPhone = (op: "pause" | "resume" | "stop") => this.ask({ do: "ControlPhonePlay", op });
  signIn = (user: string, password: string) => this.ask({ do: "SignInToVoicemail", user, password });
  look = () => this.ask({ do: "LookAtVoicemail" });
  setSpeech = (on: boolean) => this.ask({ do: "SetTranscription", on });
  shape = async (message: string) => (await this.ask({ do: "GetVoiceSound", message })) as VoiceSound;
  find = async (query: string) => ((await this.ask({ do: "FindVoicePeople", query })) as VoiceAddresses).people;
  greetings = async (): Promise<Greeting[]> => ((await this.ask({ do: "GetGreetings" })) as Greetings).greetings;
  setGreeting = (change: Omit<SetGreeting, "do" | "n">) => this.ask({ do: "SetGreeting", ...change });
  recordGreeting = (kind: Greeting["kind"], recording: string) => this.ask({ do: "RecordGreeting", kind, recording });

  /** Get messages of a folder before one of them, or the newest. Returns whether nothing older is known. */
  load = async (folder: VoiceFolder, before = ""): Promise<boolean> => {
    const page = (await this.ask({ do: "GetVoiceMessages", folder, before, limit: VOICE_PAGE })) as VoiceMessages;
    this.store.touch(mergeVoice(this.store.state, page.messages));
    return page.complete;
  };

  /** Hand a recording to the engine; its id. Raises RefusedError. */
  hand = async (wav: Blob): Promise<string> => {
    const answer = await fetch("/api/recording", { method: "POST", body: wav }).catch(() => null);
    if (!answer?.ok) throw new RefusedError(null);
    return answer.text();
  };
}
