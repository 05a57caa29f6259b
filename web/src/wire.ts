// Made from ringback/client/host/wire.py by scripts/generate_types.py: change that file, not this one.

/** The whole state, after connecting and after signing in or out. */
export interface Welcome {
  event: "Welcome";
  snapshot: Snapshot;
}

/** All that a page shows. Before sign-in only ``sign_in`` is filled. */
export interface Snapshot {
  sign_in: SignIn;
  me: Me | null;
  features: Features;
  people: Person[];
  groups: string[];
  conversations: Conversation[];
  services: Service[];
  version: string;
}

/** Where the sign-in stands. ``who_asks`` names the host that will check the password. */
export interface SignIn {
  phase: "address" | "finding" | "credentials" | "connecting" | "ready" | "failed";
  address: string;
  name: string;
  steps: Step[];
  who_asks: string;
  fault: Fault | null;
  wrong_password: Reason | null;
  certificate: CertificateQuestion | null;
  suggestion: string;
  known: KnownAccount[];
  manual: ManualSettings;
  questions: number;
  decisions: number;
  seconds: number;
}

/** A line of the progress. ``id``: services, home, identity, connecting, ready. ``names``: what is asked. */
export interface Step {
  id: string;
  state: "todo" | "active" | "done" | "failed";
  text: Reason;
  names: string[];
  seconds: number | null;
}

/** One step of why: a catalogue id such as ``authenticator.srv.uds`` and the values that its sentence names. */
export interface Reason {
  id: string;
  values: Record<string, string>;
}

/** What is wrong, in a form that a person can act on: each part is a catalogue reason. */
export interface Fault {
  id: string;
  what: Reason;
  why: Reason;
  do_first: Reason;
  do_then: Reason;
  change: string;
}

/** A server's certificate that is not trusted, shown for a decision; never accepted unasked. */
export interface CertificateQuestion {
  server: string;
  expected: string;
  found: string[];
  issuer: string;
  valid_from: string;
  valid_until: string;
  fingerprint: string;
  reason: Reason;
  may_accept: boolean;
}

/** Somebody who signed in here before. */
export interface KnownAccount {
  address: string;
  name: string;
  last: string;
  remembered: boolean;
}

/** Servers by hand (A9); ``mode`` automatic leaves the rest unused. ``account``: kind of authenticator. */
export interface ManualSettings {
  mode: "automatic" | "manual";
  account: "presence" | "callmanager" | "messenger" | "xmpp";
  presence: string;
  call_manager: string;
  configuration: string;
  voicemail: string;
  voice_domain: string;
  name_server: string;
  internet_protocol: "both" | "ipv4" | "ipv6";
}

/** The signed-in person. ``chosen``: what was set by hand, empty: the devices decide. */
export interface Me {
  id: string;
  name: string;
  presence: Presence;
  chosen: "" | "available" | "away" | "dnd" | "offline";
  status: string;
  photo: string;
  title: string;
}

/** What is shown of a person's availability, with its reasons (source, what it said, when). */
export interface Presence {
  show: "available" | "away" | "dnd" | "call" | "meeting" | "out" | "offline" | "unknown";
  status: string;
  since: string | null;
  until: string | null;
  reasons: PresenceReason[];
}

/** One source of a presence: ``source`` and ``said`` are sentences, ``at`` when. */
export interface PresenceReason {
  source: Reason;
  said: Reason;
  at: string | null;
}

/** What the product mode and the policies give this person; absent ones are not shown at all. */
export interface Features {
  chats: boolean;
  contacts: boolean;
  group_chats: boolean;
  directory: boolean;
  product_mode: string;
  reasons: Reason[];
}

/** A person as known from roster and directory. ``id`` is the bare JID. ``photo`` is a version or empty: none. */
export interface Person {
  id: string;
  name: string;
  presence: Presence;
  photo: string;
  title: string;
  department: string;
  manager: string;
  mail: string;
  numbers: Number[];
  groups: string[];
  in_list: boolean;
  favourite: boolean;
  subscription: "none" | "to" | "from" | "both";
  pending: boolean;
  asks: boolean;
  blocked: boolean;
  source: string;
}

/** A number with its kind; ``shown`` is formatted for reading. */
export interface Number {
  kind: "work" | "mobile" | "home" | "other";
  value: string;
  shown: string;
}

/** A chat with a person or a group. ``id``: the bare JID. ``unread_from``: first unread message. */
export interface Conversation {
  id: string;
  kind: "person" | "room";
  title: string;
  last: Message | null;
  unread: number;
  mentions: number;
  unread_from: string | null;
  typing: string[];
  members: Member[];
  encrypted: "server" | "none";
  pinned: boolean;
  muted: boolean;
  draft: string;
  joined: boolean;
}

/** A message. ``id`` is stable over sending, archive and reload. ``sender`` is a person id (in rooms too). */
export interface Message {
  id: string;
  conversation: string;
  sender: string;
  sender_name: string;
  own: boolean;
  at: string;
  body: string;
  state: "sending" | "sent" | "delivered" | "read" | "failed" | "received";
  read_by: string[];
  failure: Reason | null;
  kind: "text" | "event";
  event: Reason | null;
}

/** Somebody in a group chat. */
export interface Member {
  id: string;
  name: string;
  role: "owner" | "moderator" | "member" | "guest";
  here: boolean;
}

/** A service of the person and its state, with why. ``id``: messages, contacts, directory, configuration. */
export interface Service {
  id: string;
  state: "off" | "connecting" | "up" | "waiting" | "failed";
  server: string;
  since: string | null;
  next_try: string | null;
  text: Reason | null;
  reasons: Reason[];
}

/** The sign-in moved on. */
export interface SignInChanged {
  event: "SignInChanged";
  sign_in: SignIn;
}

/** New lines of the trace, from ``first`` on (0: begin anew). */
export interface TraceGrew {
  event: "TraceGrew";
  first: number;
  entries: Entry[];
}

/** One line of the trace. */
export interface Entry {
  at: number;
  kind: Kind;
  text: Reason;
  outcome: Outcome;
  question: string;
  server: string;
  answer: string;
  took: number | null;
  reasons: Reason[];
  group: string;
}

export type Kind = "typed" | "asked" | "decided" | "checked";

export type Outcome = "ok" | "none" | "failed" | "info";

/** People that changed or came, and ids that went. */
export interface PeopleChanged {
  event: "PeopleChanged";
  people: Person[];
  gone: string[];
  groups: string[] | null;
}

/** Own presence, name or photo changed. */
export interface MeChanged {
  event: "MeChanged";
  me: Me;
}

/** Conversations that changed or came, and ids that went. */
export interface ConversationsChanged {
  event: "ConversationsChanged";
  conversations: Conversation[];
  gone: string[];
}

/** Messages of a conversation that came or changed (same id: replace). ``live`` ones are worth a notification. */
export interface MessagesChanged {
  event: "MessagesChanged";
  conversation: string;
  messages: Message[];
  live: boolean;
}

/** Services that changed state. */
export interface ServicesChanged {
  event: "ServicesChanged";
  services: Service[];
}

/** The answer to a command. ``value``: what that command documents, else null. */
export interface Done {
  event: "Done";
  n: number;
  value: SearchResults | History | PersonCard | Conversation | Message | TraceLines | null;
}

/** People found: own contacts first, then the directory. ``total``: how many it knows; None: it did not answer. */
export interface SearchResults {
  type: "SearchResults";
  query: string;
  people: Person[];
  conversations: Conversation[];
  total: number | null;
  problem: Reason | null;
}

/** Older messages, oldest first; ``complete``: nothing older is kept. */
export interface History {
  type: "History";
  messages: Message[];
  complete: boolean;
}

/** All that is known of a person, with where it comes from. */
export interface PersonCard {
  type: "PersonCard";
  person: Person;
  sources: Reason[];
  shared_rooms: string[];
}

/** The whole trace. */
export interface TraceLines {
  type: "TraceLines";
  entries: Entry[];
}

/** The command could not be done, with the reason. */
export interface Refused {
  event: "Refused";
  n: number;
  reason: Reason;
}

/** Begin with an address: discovery runs, the phase goes to credentials or failed. */
export interface FindServices {
  do: "FindServices";
  n: number;
  address: string;
}

/** The password for the address found; ``remember`` keeps it, encrypted, for the next start. */
export interface SignInWith {
  do: "SignInWith";
  n: number;
  password: string;
  remember?: boolean;
}

/** Sign in an account that was remembered here. */
export interface UseKnown {
  do: "UseKnown";
  n: number;
  address: string;
}

/** Delete all that is kept here of an account. */
export interface ForgetKnown {
  do: "ForgetKnown";
  n: number;
  address: string;
}

/** Give up the running sign-in; back to the address. */
export interface Cancel {
  do: "Cancel";
  n: number;
}

/** Run the failed sign-in again. */
export interface TryAgain {
  do: "TryAgain";
  n: number;
}

/** Keep connection settings; ``mode`` automatic goes back to discovery. */
export interface SetManual {
  do: "SetManual";
  n: number;
  settings: ManualSettings;
}

/** Try settings without signing in; the trace grows. Answer: TraceLines. */
export interface TestServers {
  do: "TestServers";
  n: number;
  settings: ManualSettings;
}

/** Accept once and remember (only where ``may_accept``), or refuse. */
export interface AnswerCertificate {
  do: "AnswerCertificate";
  n: number;
  fingerprint: string;
  accept: boolean;
}

/** End the session; ``forget`` deletes caches and history of this computer too. */
export interface SignOut {
  do: "SignOut";
  n: number;
  forget?: boolean;
}

/** Answer: TraceLines. */
export interface GetTrace {
  do: "GetTrace";
  n: number;
}

/** Own availability by hand; empty ``show`` lets the devices decide. ``status`` null leaves the message as it is. */
export interface SetPresence {
  do: "SetPresence";
  n: number;
  show?: "" | "available" | "away" | "dnd" | "offline";
  status?: string | null;
}

/** The person is active (or idle since so many seconds), for away and client state indication. */
export interface ReportActivity {
  do: "ReportActivity";
  n: number;
  idle_seconds: number;
}

/** People, rooms by text or number. Answer: SearchResults. */
export interface Search {
  do: "Search";
  n: number;
  query: string;
  limit?: number;
}

/** Answer: PersonCard. */
export interface GetPerson {
  do: "GetPerson";
  n: number;
  person: string;
}

/** Put a person into the contact list, in groups, and ask to see the presence. */
export interface AddContact {
  do: "AddContact";
  n: number;
  person: string;
  name?: string;
  groups?: string[];
}

/** New name (nickname) or groups of a contact; null leaves as it is. */
export interface ChangeContact {
  do: "ChangeContact";
  n: number;
  person: string;
  name?: string | null;
  groups?: string[] | null;
}

/** Out of the contact list. */
export interface RemoveContact {
  do: "RemoveContact";
  n: number;
  person: string;
}

/** Allow or refuse that a person sees our presence. */
export interface AnswerRequest {
  do: "AnswerRequest";
  n: number;
  person: string;
  allow: boolean;
}

/** Block or unblock a person. */
export interface SetBlocked {
  do: "SetBlocked";
  n: number;
  person: string;
  blocked: boolean;
}

/** Make sure that a conversation with a person exists. Answer: Conversation. */
export interface OpenChat {
  do: "OpenChat";
  n: number;
  person: string;
}

/** Messages before a message id, or the newest. Answer: History. */
export interface GetHistory {
  do: "GetHistory";
  n: number;
  conversation: string;
  before?: string | null;
  limit?: number;
}

/** Send a text; ``id`` is made by the page and stays the message's id. Answer: Message. */
export interface SendMessage {
  do: "SendMessage";
  n: number;
  conversation: string;
  id: string;
  body: string;
}

/** Try a failed message again, in its place. */
export interface RetryMessage {
  do: "RetryMessage";
  n: number;
  conversation: string;
  id: string;
}

/** Take a message that was never sent out of the list. */
export interface RemoveMessage {
  do: "RemoveMessage";
  n: number;
  conversation: string;
  id: string;
}

/** Composing or not any more. */
export interface SetTyping {
  do: "SetTyping";
  n: number;
  conversation: string;
  typing: boolean;
}

/** Read up to and including this message. */
export interface MarkRead {
  do: "MarkRead";
  n: number;
  conversation: string;
  message: string;
}

/** A group chat with people. Answer: Conversation. */
export interface CreateRoom {
  do: "CreateRoom";
  n: number;
  title: string;
  people: string[];
}

/** More people into a group chat. */
export interface InviteToRoom {
  do: "InviteToRoom";
  n: number;
  conversation: string;
  people: string[];
}

/** Another title for a group chat. */
export interface RenameRoom {
  do: "RenameRoom";
  n: number;
  conversation: string;
  title: string;
}

/** Out of a group chat. */
export interface LeaveRoom {
  do: "LeaveRoom";
  n: number;
  conversation: string;
}

/** Pin, mute, keep a draft or close; null leaves as it is. */
export interface SetConversation {
  do: "SetConversation";
  n: number;
  conversation: string;
  pinned?: boolean | null;
  muted?: boolean | null;
  draft?: string | null;
  closed?: boolean | null;
}

export type AnyEvent =
  | Welcome
  | SignInChanged
  | TraceGrew
  | PeopleChanged
  | MeChanged
  | ConversationsChanged
  | MessagesChanged
  | ServicesChanged
  | Done
  | Refused;

export type AnyCommand =
  | FindServices
  | SignInWith
  | UseKnown
  | ForgetKnown
  | Cancel
  | TryAgain
  | SetManual
  | TestServers
  | AnswerCertificate
  | SignOut
  | GetTrace
  | SetPresence
  | ReportActivity
  | Search
  | GetPerson
  | AddContact
  | ChangeContact
  | RemoveContact
  | AnswerRequest
  | SetBlocked
  | OpenChat
  | GetHistory
  | SendMessage
  | RetryMessage
  | RemoveMessage
  | SetTyping
  | MarkRead
  | CreateRoom
  | InviteToRoom
  | RenameRoom
  | LeaveRoom
  | SetConversation;
