/** What the page knows, and how each event of the host changes it. Pure: no socket, no clock, no React. */
import type { Account, AnyEvent, Call, Conversation, Directory, Entry, Features, Findings, Mailbox, Me, Message, Person, Phone, Place, Questions, Recent, Security, Service, SignIn, Snapshot, VoiceMessage } from "../wire";

/** The messages of a conversation that the page has, oldest first. */
export interface Thread {
  messages: readonly Message[];
  /** Nothing older is kept anywhere. */
  complete: boolean;
  /** The newest page of history was got since the last connection. */
  loaded: boolean;
}

export interface State {
  signIn: SignIn | null;
  /** What waits for an answer while signed in. */
  questions: Questions;
  /** How one is signed in. */
  account: Account | null;
  security: Security | null;
  me: Me | null;
  features: Features | null;
  people: Map<string, Person>;
  /** In the order in which they are shown, empty ones too. */
  groups: readonly string[];
  /** Groups whose people were put in order by hand: a group's name, and their ids. */
  orders: Readonly<Record<string, readonly string[]>>;
  directories: readonly Directory[];
  /** What was found so far by the searches of this page. */
  findings: Map<string, Findings>;
  conversations: Map<string, Conversation>;
  threads: Map<string, Thread>;
  services: Map<string, Service>;
  /** Inside or outside the company's network, and what is missing there. */
  where: Place;
  phone: Phone | null;
  /** Calls that go on, and those that ended until a view has shown how. */
  calls: Map<string, Call>;
  recents: Map<string, Recent>;
  mailbox: Mailbox | null;
  /** Voice messages of all folders, as far as they were got. */
  voice: Map<string, VoiceMessage>;
  trace: readonly Entry[];
  version: string;
}

export const noQuestions: Questions = { again: null, configuration: null, certificate: null };
export const noPlace: Place = { where: "", edge: "", since: null, reasons: [], missing: [] };
export const emptyThread: Thread = { messages: [], complete: false, loaded: false };

export function emptyState(): State {
  return {
    signIn: null,
    questions: noQuestions,
    account: null,
    security: null,
    me: null,
    features: null,
    people: new Map(),
    groups: [],
    orders: {},
    directories: [],
    findings: new Map(),
    conversations: new Map(),
    threads: new Map(),
    services: new Map(),
    where: noPlace,
    phone: null,
    calls: new Map(),
    recents: new Map(),
    mailbox: null,
    voice: new Map(),
    trace: [],
    version: "",
  };
}

/** Apply an event in place; returns the keys of what changed, for subscribers. */
export function apply(state: State, event: AnyEvent): string[] {
  switch (event.event) {
    case "Welcome":
      return welcome(state, event.snapshot);
    case "SignInChanged":
      state.signIn = event.sign_in;
      return ["signIn"];
    case "QuestionsChanged":
      state.questions = event.questions;
      return ["questions"];
    case "AccountChanged":
      state.account = event.account;
      return ["account"];
    case "TraceGrew":
      // Entries are told again, at their place, when the answer is there; the first one begins a new trace.
      state.trace = event.first ? spliced(state.trace, event.first, event.entries) : event.entries;
      return ["trace"];
    case "PeopleChanged":
      for (const person of event.people) state.people.set(person.id, person);
      for (const id of event.gone) state.people.delete(id);
      if (event.groups) state.groups = event.groups;
      if (event.orders) state.orders = event.orders;
      return ["people", ...event.people.map((person) => `person:${person.id}`), ...event.gone.map((id) => `person:${id}`)];
    case "FindingsGrew":
      return keepFindings(state, event.findings);
    case "DirectoriesChanged":
      state.directories = event.directories;
      return ["directories"];
    case "MeChanged":
      state.me = event.me;
      return ["me"];
    case "ConversationsChanged":
      for (const conversation of event.conversations) state.conversations.set(conversation.id, conversation);
      for (const id of event.gone) state.conversations.delete(id);
      return [
        "conversations",
        ...event.conversations.map((conversation) => `conversation:${conversation.id}`),
        ...event.gone.map((id) => `conversation:${id}`),
      ];
    case "MessagesChanged":
      return mergeMessages(state, event.conversation, event.messages, {});
    case "ServicesChanged":
      for (const service of event.services) state.services.set(service.id, service);
      return ["services"];
    case "PlaceChanged":
      state.where = event.place;
      return ["where"];
    case "PhoneChanged":
      state.phone = event.phone;
      return ["phone"];
    case "CallsChanged":
      return changeCalls(state, event.calls, event.gone);
    case "RecentsChanged":
      mergeRecents(state, event.recents);
      for (const id of event.gone) state.recents.delete(id);
      return ["recents"];
    case "MailboxChanged":
      state.mailbox = event.mailbox;
      return ["mailbox"];
    case "VoiceMessagesChanged":
      for (const id of event.gone) state.voice.delete(id);
      return mergeVoice(state, event.messages);
    default:
      return [];
  }
}

/** Voice messages that came or changed. */
export function mergeVoice(state: State, messages: readonly VoiceMessage[]): string[] {
  for (const message of messages) state.voice.set(message.id, message);
  return ["voice"];
}

const answered = (findings: Findings) => findings.sources.filter((source) => source.state !== "asking").length;

/** What a search found so far; those of other windows of the page, and of a text that is no longer there, are let go. */
export function keepFindings(state: State, findings: Findings): string[] {
  const before = state.findings.get(findings.search);
  // The answer to the command may come after the first directory's.
  if (before?.query !== findings.query || answered(before) > answered(findings)) return [];
  state.findings.set(findings.search, findings);
  return [`findings:${findings.search}`];
}

/** A search begins anew, or ends. */
export function beginFindings(state: State, search: string, query: string): string[] {
  const { findings } = state;
  if (query) findings.set(search, { type: "Findings", search, query, people: [], rooms: [], sources: [], number: null, more: false, complete: false });
  else findings.delete(search);
  return [`findings:${search}`];
}

const spliced = <Item>(items: readonly Item[], at: number, put: readonly Item[]): Item[] => [
  ...items.slice(0, at),
  ...put,
  ...items.slice(at + put.length),
];

/** How a call ended is told once: it stays until a view has shown it, and `dropCall` takes it away. */
function changeCalls(state: State, calls: readonly Call[], gone: readonly string[]): string[] {
  // An end that was shown and forgotten is told once more when the call is kept among the past ones: it stays forgotten.
  for (const call of calls) if (call.state !== "ended" || state.calls.has(call.id)) state.calls.set(call.id, call);
  for (const id of gone) if (state.calls.get(id)?.state !== "ended") state.calls.delete(id);
  return ["calls", ...calls.map((call) => `call:${call.id}`), ...gone.map((id) => `call:${id}`)];
}

/** Forget a call that ended. */
export function dropCall(state: State, id: string): string[] {
  return state.calls.delete(id) ? ["calls", `call:${id}`] : [];
}

/** Past calls, newest first. */
export function mergeRecents(state: State, recents: readonly Recent[]): string[] {
  for (const recent of recents) state.recents.set(recent.id, recent);
  const sorted = [...state.recents.values()].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
  state.recents = new Map(sorted.map((recent) => [recent.id, recent]));
  return ["recents"];
}

function welcome(state: State, snapshot: Snapshot): string[] {
  const another = state.me?.id !== snapshot.me?.id;
  const touched = [...state.people.keys(), ...snapshot.people.map((person) => person.id)].map((id) => `person:${id}`);
  const chats = [...state.conversations.keys(), ...snapshot.conversations.map((chat) => chat.id)];
  state.signIn = snapshot.sign_in;
  state.questions = snapshot.questions;
  state.account = snapshot.account;
  state.security = snapshot.security;
  state.where = snapshot.place;
  state.me = snapshot.me;
  state.features = snapshot.features;
  state.people = new Map(snapshot.people.map((person) => [person.id, person]));
  state.groups = snapshot.groups;
  state.orders = snapshot.orders;
  state.directories = snapshot.directories;
  state.conversations = new Map(snapshot.conversations.map((conversation) => [conversation.id, conversation]));
  state.services = new Map(snapshot.services.map((service) => [service.id, service]));
  const calls = [...state.calls.keys(), ...snapshot.calls.map((call) => call.id)];
  state.phone = snapshot.phone;
  state.calls = new Map(snapshot.calls.map((call) => [call.id, call]));
  state.recents = new Map();
  mergeRecents(state, snapshot.recents);
  state.mailbox = snapshot.mailbox;
  state.voice = new Map(snapshot.voice_messages.map((message) => [message.id, message]));
  state.version = snapshot.version;
  // Messages shown stay shown, but what came meanwhile is still to be got.
  if (another) state.threads = new Map();
  else for (const [id, thread] of state.threads) state.threads.set(id, { ...thread, loaded: false });
  return [
    ...["signIn", "questions", "account", "security", "me", "features", "people", "directories", "conversations", "services", "where", "phone", "calls", "recents", "mailbox", "voice", "version"],
    ...touched,
    ...calls.map((id) => `call:${id}`),
    ...chats.flatMap((id) => [`conversation:${id}`, `thread:${id}`]),
  ];
}

/** Put messages into a thread, each id once, in the order of their times; those of one time as they came. */
export function mergeMessages(
  state: State,
  conversation: string,
  messages: readonly Message[],
  change: Partial<Pick<Thread, "complete" | "loaded">>,
): string[] {
  const thread = state.threads.get(conversation) ?? emptyThread;
  const byId = new Map(thread.messages.map((message) => [message.id, message]));
  for (const message of messages) byId.set(message.id, message);
  const merged = [...byId.values()].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  state.threads.set(conversation, { ...thread, ...change, messages: merged });
  return [`thread:${conversation}`];
}

/** Take a message out of a thread. */
export function dropMessage(state: State, conversation: string, id: string): string[] {
  const thread = state.threads.get(conversation);
  if (!thread) return [];
  state.threads.set(conversation, { ...thread, messages: thread.messages.filter((message) => message.id !== id) });
  return [`thread:${conversation}`];
}
