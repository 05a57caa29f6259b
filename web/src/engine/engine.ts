/** The page's engine: store, link and every action that a view may take, made once. */
import type { BrowserSignIn, Conversation, History, ManualSettings, Message, SetConversation, TraceLines } from "../wire";
import type { Order } from "./link";
import { Link } from "./link";
import { People } from "./people";
import { Phone } from "./phone";
import { dropMessage, emptyThread, mergeMessages } from "./state";
import { Store } from "./store";
import { Voicemail } from "./voicemail";

const HISTORY_PAGE = 50;

function socketUrl(): string {
  const url = new URL("/api/socket", window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = "";
  return url.href;
}

export class Engine {
  readonly store = new Store();
  private readonly link = new Link(socketUrl(), this.store.take, this.store.setLink, () => {
    // The host has words for it, and says how to come back.
    window.location.replace("/");
  });
  readonly people = new People(this.store, (order) => this.do(order));
  readonly phone = new Phone(this.store, (order) => this.do(order));
  readonly voicemail = new Voicemail(this.store, (order) => this.do(order));
  private readonly loading = new Set<string>();

  start(): void {
    this.link.connect();
    window.addEventListener("online", () => this.link.connect());
  }

  tryNow = (): void => this.link.connect();

  // --- sign-in
  findServices = (address: string) => this.do({ do: "FindServices", address });
  signInWith = (password: string, remember: boolean, user = "") => this.do({ do: "SignInWith", password, remember, user });
  useKnown = (address: string) => this.do({ do: "UseKnown", address });
  forgetKnown = (address: string) => this.do({ do: "ForgetKnown", address });
  cancel = () => this.do({ do: "Cancel" });
  tryAgain = () => this.do({ do: "TryAgain" });
  setManual = (settings: ManualSettings) => this.do({ do: "SetManual", settings });
  testServers = async (settings: ManualSettings) => (await this.do({ do: "TestServers", settings })) as TraceLines;
  answerCertificate = (fingerprint: string, accept: boolean) => this.do({ do: "AnswerCertificate", fingerprint, accept });
  signOut = (forget: boolean) => this.do({ do: "SignOut", forget });
  /** Where to go to be asked who one is; the browser comes back from there by itself. */
  beginBrowserSignIn = async (remember: boolean, quietly = false) => ((await this.do({ do: "BeginBrowserSignIn", remember, quietly })) as BrowserSignIn).url;
  applyConfiguration = () => this.do({ do: "ApplyConfiguration" });
  postponeConfiguration = () => this.do({ do: "PostponeConfiguration" });
  refreshConfiguration = () => this.do({ do: "RefreshConfiguration" });
  getTrace = async () => ((await this.do({ do: "GetTrace" })) as TraceLines).entries;

  // --- own presence
  setShow = (show: "" | "available" | "away" | "dnd" | "offline") => this.do({ do: "SetPresence", show });
  setStatus = (status: string) => this.do({ do: "SetPresence", show: this.store.state.me?.chosen ?? "", status });
  reportActivity = (idleSeconds: number) => this.do({ do: "ReportActivity", idle_seconds: idleSeconds });

  // --- chats
  openChat = async (person: string) => (await this.do({ do: "OpenChat", person })) as Conversation;
  createRoom = async (title: string, people: string[]) => (await this.do({ do: "CreateRoom", title, people })) as Conversation;
  inviteToRoom = (conversation: string, people: string[]) => this.do({ do: "InviteToRoom", conversation, people });
  renameRoom = (conversation: string, title: string) => this.do({ do: "RenameRoom", conversation, title });
  leaveRoom = (conversation: string) => this.do({ do: "LeaveRoom", conversation });
  setTyping = (conversation: string, typing: boolean) => this.do({ do: "SetTyping", conversation, typing });
  markRead = (conversation: string, message: string) => this.do({ do: "MarkRead", conversation, message });
  retryMessage = (conversation: string, id: string) => this.do({ do: "RetryMessage", conversation, id });

  setConversation = (conversation: string, change: Omit<SetConversation, "do" | "n" | "conversation">) =>
    this.do({ do: "SetConversation", conversation, ...change });

  removeMessage = async (conversation: string, id: string): Promise<void> => {
    await this.do({ do: "RemoveMessage", conversation, id });
    this.store.touch(dropMessage(this.store.state, conversation, id));
  };

  /** Show the message at once, and send it until the host has it. */
  sendMessage = async (conversation: string, body: string): Promise<void> => {
    const { state } = this.store;
    const id = crypto.randomUUID();
    const waiting: Message = {
      ...{ id, conversation, body, own: true, state: "sending", read_by: [], failure: null, kind: "text", event: null },
      ...{ sender: state.me?.id ?? "", sender_name: state.me?.name ?? "", at: new Date().toISOString() },
    };
    this.store.touch(mergeMessages(state, conversation, [waiting], {}));
    const sent = await this.do({ do: "SendMessage", conversation, id, body }, true);
    // What was told of the message meanwhile (delivered, read) is newer than the answer.
    const shown = state.threads.get(conversation)?.messages.find((message) => message.id === id);
    if (sent && shown === waiting) this.store.touch(mergeMessages(state, conversation, [sent as Message], {}));
  };

  /** Get the newest page of a conversation, or the one before what is there. */
  loadHistory = async (conversation: string, older: boolean): Promise<void> => {
    const { state } = this.store;
    const thread = state.threads.get(conversation) ?? emptyThread;
    if (this.loading.has(conversation) || (older ? thread.complete : thread.loaded)) return;
    this.loading.add(conversation);
    try {
      const before = older ? (thread.messages[0]?.id ?? null) : null;
      const page = (await this.do({ do: "GetHistory", conversation, before, limit: HISTORY_PAGE })) as History;
      const complete = page.complete && (older || !thread.messages.length) ? true : thread.complete;
      this.store.touch(mergeMessages(state, conversation, page.messages, { complete, loaded: true }));
    } finally {
      this.loading.delete(conversation);
    }
  };

  private do(order: Order, again = false) {
    return this.link.send(order, again);
  }
}
