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
  orders: Record<string, string[]>;
  directories: Directory[];
  conversations: Conversation[];
  services: Service[];
  place: Place;
  phone: Phone;
  calls: Call[];
  recents: Recent[];
  mailbox: Mailbox;
  voice_messages: VoiceMessage[];
  questions: Questions;
  account: Account | null;
  security: Security;
  version: string;
}

/** Where the sign-in stands. ``who_asks`` names the host that will check who the person is. */
export interface SignIn {
  phase: "address" | "finding" | "credentials" | "connecting" | "ready" | "failed";
  address: string;
  name: string;
  steps: Step[];
  asks: "password" | "browser";
  who_asks: string;
  why: Reason[];
  signed_out: Reason | null;
  fault: Fault | null;
  wrong_password: Reason | null;
  user: string;
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
  subject: string;
  why: Reason[];
  before: CertificateBefore | null;
  service: string;
}

/** What was accepted for this server earlier, where it shows another certificate now. */
export interface CertificateBefore {
  issuer: string;
  valid_until: string;
  fingerprint: string;
  accepted_at: string;
}

/** Somebody who signed in here before. ``remembered``: goes on without a question. */
export interface KnownAccount {
  address: string;
  name: string;
  last: string;
  remembered: boolean;
}

/** Servers by hand (A9); ``mode`` automatic leaves the rest unused. ``account``: kind of authenticator. ``edge``: */
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
  edge: string;
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
  calls: boolean;
  video: boolean;
  start_with_video: boolean;
  product_mode: string;
  reasons: Reason[];
}

/** A person as known from contact list and directories. ``photo`` is a version or empty: none. */
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
  chat: string;
  nickname: string;
  full_name: string;
  company: string;
  location: string;
  mails: string[];
  manager_id: string;
  custom: boolean;
}

/** A number with its kind; ``shown`` is formatted for reading. */
export interface Number {
  kind: "work" | "mobile" | "home" | "other" | "pager" | "fax";
  value: string;
  shown: string;
}

/** A directory and how it is. ``name`` for reading; ``secure``: nobody between can read or change what it says. */
export interface Directory {
  id: string;
  kind: "uds" | "ldap" | "local" | "custom" | "cloud" | "cache";
  name: string;
  server: string;
  state: "off" | "connecting" | "up" | "waiting" | "failed";
  since: string | null;
  next_try: string | null;
  secure: boolean;
  text: Reason | null;
  remedy: Reason | null;
  reasons: Reason[];
  people: number | null;
  asked: string | null;
  login: boolean;
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

/** Where the person is, with the deciding reason first. ``where`` empty: nothing was looked up; ``moving``: the */
export interface Place {
  where: "" | "inside" | "outside" | "moving";
  edge: string;
  since: string | null;
  reasons: Reason[];
  missing: Missing[];
}

/** Something that is not to be had where the person is. ``id``: a name of its own, such as ``desk_phone``. */
export interface Missing {
  id: string;
  reason: Reason;
}

/** The softphone, with its state explained. ``missed``: calls not yet seen; ``messages``: in the voicemail. */
export interface Phone {
  state: "off" | "connecting" | "registered" | "waiting" | "refused";
  device: string;
  number: string;
  server: string;
  secure: boolean;
  next_try: string | null;
  text: Reason | null;
  reasons: Reason[];
  devices: PhoneDevice[];
  missed: number;
  messages: number;
  do_not_disturb: boolean;
  forward: string;
  voicemail: string;
  low: boolean;
}

/** A device of the person. ``id``: the device name; ``softphone``: this computer can be it. */
export interface PhoneDevice {
  id: string;
  kind: string;
  model: string;
  description: string;
  number: string;
  softphone: boolean;
  chosen: boolean;
}

/** A call of the person. ``line``: the own number that is called. ``media`` rises whenever the page has to connect */
export interface Call {
  id: string;
  direction: "in" | "out";
  state: "dialling" | "ringing_out" | "ringing_in" | "active" | "held" | "ended";
  party: Party;
  line: string;
  device: string;
  here: boolean;
  members: Party[];
  conference: boolean;
  began: string;
  answered: string | null;
  held_by_other: boolean;
  muted: boolean;
  video: "none" | "sending" | "receiving" | "both";
  asks_video: boolean;
  media: number;
  early: boolean;
  ringing: number;
  consults: string;
  parked: string;
  secure: "none" | "part" | "all";
  legs: Leg[];
  quality: Quality;
  may: ("hold" | "transfer" | "add" | "merge" | "park" | "divert" | "move" | "video" | "digits" | "record")[];
  barred: Barred[];
  note: Reason | null;
  why: Reason[];
  low: boolean;
}

/** Who is at the other end. ``person``: the id of a known one, else empty; ``number`` as dialled or presented. */
export interface Party {
  number: string;
  shown: string;
  name: string;
  uri: string;
  person: string;
  emergency: boolean;
}

/** A part of the way of a call between two named ends, and whether nobody can listen on it. */
export interface Leg {
  here: string;
  there: string;
  encrypted: boolean;
  how: string;
}

/** How a call is heard, with one sentence, its cause and what would help. ``details``: name and value, to copy. */
export interface Quality {
  word: "unknown" | "good" | "fair" | "poor";
  verdict: Reason | null;
  cause: Reason | null;
  remedy: Reason | null;
  sending: Heard;
  receiving: Heard;
  codec: string;
  video_codec: string;
  resolution: string;
  frames: number;
  path: string;
  details: Detail[];
}

/** One direction of a call. ``loss``: of 100 packets, after repair ``gaps``; ``jitter`` and ``delay`` in ms; */
export interface Heard {
  word: "unknown" | "good" | "fair" | "poor";
  loss: number;
  gaps: number;
  jitter: number;
  delay: number;
  score: number;
  minute: number[];
}

/** A technical detail: what it is, and the value with its unit. */
export interface Detail {
  name: Reason;
  value: string;
}

/** An action that can't be done on this call now, and why. */
export interface Barred {
  action: "hold" | "transfer" | "add" | "merge" | "park" | "divert" | "move" | "video" | "digits" | "record";
  reason: Reason;
}

/** A call that is over. ``seen``: a missed one that the person has looked at. */
export interface Recent {
  id: string;
  direction: "in" | "out";
  result: "answered" | "missed" | "declined" | "elsewhere" | "busy" | "unanswered" | "failed" | "diverted";
  party: Party;
  at: string;
  seconds: number;
  seen: boolean;
  video: boolean;
  device: string;
  word: "unknown" | "good" | "fair" | "poor";
  quality: Quality | null;
  story: StoryLine[];
}

/** Something that happened in a call, with when. */
export interface StoryLine {
  at: string;
  text: Reason;
}

/** The person's mailbox. ``new``: unheard messages in the inbox; ``totals``: of each folder, by the service. */
export interface Mailbox {
  state: "off" | "connecting" | "up" | "waiting" | "failed";
  server: string;
  text: Reason | null;
  reasons: Reason[];
  next_try: string | null;
  looked: string | null;
  told: boolean;
  new: number;
  totals: Record<string, number>;
  used: number;
  limit: number;
  warned: boolean;
  may_send: boolean;
  asks: boolean;
  user: string;
  longest: number;
  longest_greeting: number;
  dial: string;
  playing: PhonePlay | null;
  speech: "absent" | "off" | "on" | "loading";
}

/** A message that is played on a phone, which the service called. */
export interface PhonePlay {
  message: string;
  number: string;
  state: "calling" | "playing" | "paused";
}

/** A voice message. ``party``: who left it; ``to``: who got it. ``new``: not heard yet. ``kept``: its */
export interface VoiceMessage {
  id: string;
  folder: "inbox" | "sent" | "deleted";
  party: Party;
  at: string;
  seconds: number;
  new: boolean;
  urgent: boolean;
  private: boolean;
  secure: boolean;
  subject: string;
  to: Party[];
  kept: boolean;
  transcript: string;
}

/** What waits for the person while signed in; all null: nothing. */
export interface Questions {
  again: SignInAgain | null;
  configuration: ConfigurationChange | null;
  certificate: CertificateQuestion | null;
}

/** Services wait until the person signed in again; chats and history stay in view. */
export interface SignInAgain {
  asks: "password" | "browser";
  who_asks: string;
  reason: Reason;
  services: string[];
  quietly: boolean;
  wrong_password: Reason | null;
}

/** The company changed settings. ``effect`` told: they count already; sign_out or reset: ``ApplyConfiguration``. */
export interface ConfigurationChange {
  effect: "told" | "sign_out" | "reset";
  changes: ChangedSetting[];
  reasons: Reason[];
}

/** A setting of the company that is another now. ``was`` and ``now`` are empty where it was or is not set. */
export interface ChangedSetting {
  name: string;
  was: string;
  now: string;
  effect: "told" | "sign_out" | "reset";
}

/** How one is signed in. ``method``: the password goes to the services; it was typed here once and the services get */
export interface Account {
  method: "password" | "token" | "browser";
  who_asks: string;
  since: string;
  until: string | null;
  remembered: boolean;
  services: string[];
  kept: Reason[];
}

/** How strict this client is with servers, and why. In other modes than ``usual`` nobody accepts a certificate. */
export interface Security {
  mode: "usual" | "fips" | "common-criteria";
  reasons: Reason[];
}

/** The sign-in moved on. */
export interface SignInChanged {
  event: "SignInChanged";
  sign_in: SignIn;
}

/** A question came up while signed in, or was answered. */
export interface QuestionsChanged {
  event: "QuestionsChanged";
  questions: Questions;
}

/** How one is signed in changed: another token, or what is kept. */
export interface AccountChanged {
  event: "AccountChanged";
  account: Account | null;
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

/** People that changed or came, and ids that went. ``groups`` (in shown order, empty ones included) and ``orders`` */
export interface PeopleChanged {
  event: "PeopleChanged";
  people: Person[];
  gone: string[];
  groups: string[] | null;
  orders: Record<string, string[]> | null;
}

/** A directory answered a running search, or failed. Other pages' searches come too: look at ``search``. */
export interface FindingsGrew {
  event: "FindingsGrew";
  findings: Findings;
}

/** A search so far: the whole ranked list, at most as many as asked for. ``number``: the text can be dialled. */
export interface Findings {
  type: "Findings";
  search: string;
  query: string;
  people: FoundPerson[];
  rooms: Conversation[];
  sources: SourceStep[];
  number: Number | null;
  more: boolean;
  complete: boolean;
}

/** Somebody found: by what (``value``: the number or address that fits, for reading), and where from. */
export interface FoundPerson {
  person: Person;
  matched: "name" | "nickname" | "number" | "mail" | "address" | "title" | "department" | "company" | "elsewhere";
  value: string;
  sources: string[];
}

/** How far a directory is with a search. ``total``: how many fit there in all; None: it does not say. */
export interface SourceStep {
  id: string;
  kind: "uds" | "ldap" | "local" | "custom" | "cloud" | "cache";
  name: string;
  state: "asking" | "done" | "failed";
  found: number;
  total: number | null;
  ms: number;
  problem: Reason | null;
}

/** All directories, after a change of one. */
export interface DirectoriesChanged {
  event: "DirectoriesChanged";
  directories: Directory[];
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

/** The person is elsewhere, or something is missing or to be had again. */
export interface PlaceChanged {
  event: "PlaceChanged";
  place: Place;
}

/** The softphone's state, devices or counts changed. */
export interface PhoneChanged {
  event: "PhoneChanged";
  phone: Phone;
}

/** Calls that came or changed, and ids that went. A call that ended is told once with its note, then goes. */
export interface CallsChanged {
  event: "CallsChanged";
  calls: Call[];
  gone: string[];
}

/** Past calls that came or changed (newest first), and ids that were removed. */
export interface RecentsChanged {
  event: "RecentsChanged";
  recents: Recent[];
  gone: string[];
}

/** The mailbox changed. */
export interface MailboxChanged {
  event: "MailboxChanged";
  mailbox: Mailbox;
}

/** Messages that came or changed, and ids that are gone. ``arrived``: ids of new ones worth a notification. */
export interface VoiceMessagesChanged {
  event: "VoiceMessagesChanged";
  messages: VoiceMessage[];
  gone: string[];
  arrived: string[];
}

/** The answer to a command. ``value``: what that command documents, else null. */
export interface Done {
  event: "Done";
  n: number;
  value: SearchResults | Findings | ImportPlan | ImportDone | ExportedContacts | DirectoryReport | History | PersonCard | Conversation | Message | TraceLines | CallMade | MediaAnswer | NumberPlan | RecentCalls | BrowserSignIn | VoiceMessages | VoiceSound | VoiceAddresses | Greetings | null;
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

/** What a file would change; nothing is changed yet. ``groups``: new ones; ``lost``: what was not understood. */
export interface ImportPlan {
  type: "ImportPlan";
  id: string;
  format: "csv" | "xml" | "vcard";
  rows: ImportRow[];
  groups: string[];
  lost: Reason[];
}

/** A contact of a file: what will become of it, or why nothing. ``number`` is the first of its numbers. */
export interface ImportRow {
  line: number;
  name: string;
  address: string;
  number: string;
  groups: string[];
  what: "add" | "change" | "same" | "refused";
  reasons: Reason[];
}

/** What was changed. ``undo``: for UndoImport, as long as the session lasts. */
export interface ImportDone {
  type: "ImportDone";
  added: number;
  changed: number;
  failed: ImportRow[];
  undo: string;
}

/** A file to keep: ``data`` is base64. ``lost``: what this format can't hold. */
export interface ExportedContacts {
  type: "ExportedContacts";
  name: string;
  kind: string;
  data: string;
  people: number;
  lost: Reason[];
}

/** The checks of a directory in their order. */
export interface DirectoryReport {
  type: "DirectoryReport";
  lines: CheckLine[];
}

/** One check of a directory. ``ms``: how long it took. */
export interface CheckLine {
  state: "good" | "warning" | "bad";
  text: Reason;
  detail: string;
  ms: number | null;
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
  facts: Fact[];
  photo_from: Reason | null;
  photo_at: string | null;
  merged: Reason[];
}

/** One line of a card and where it comes from. ``field``: a field of Person, or a kind of number. */
export interface Fact {
  field: string;
  value: string;
  source: Reason;
  at: string | null;
}

/** The whole trace. */
export interface TraceLines {
  type: "TraceLines";
  entries: Entry[];
}

/** A call that was begun. */
export interface CallMade {
  type: "CallMade";
  call: Call;
}

/** The engine's session description (WebRTC) for the page's offer; ``media`` is the generation it connects. */
export interface MediaAnswer {
  type: "MediaAnswer";
  sdp: string;
  media: number;
}

/** What a text would dial. ``dials``: empty where it can't be dialled; ``shown`` for reading; ``why``: the rules. */
export interface NumberPlan {
  type: "NumberPlan";
  dials: string;
  shown: string;
  person: string;
  emergency: boolean;
  why: Reason[];
}

/** Older calls, newest first; ``complete``: nothing older is kept. */
export interface RecentCalls {
  type: "RecentCalls";
  recents: Recent[];
  complete: boolean;
}

/** Where to go, in this tab; it comes back by itself. */
export interface BrowserSignIn {
  type: "BrowserSignIn";
  url: string;
}

/** A page of a folder, newest first; ``complete``: nothing older is known. */
export interface VoiceMessages {
  type: "VoiceMessages";
  messages: VoiceMessage[];
  complete: boolean;
}

/** The shape of a sound: its loudness in equal steps (0 to 100), its length, and the format it is kept in. */
export interface VoiceSound {
  type: "VoiceSound";
  peaks: number[];
  seconds: number;
  format: string;
}

/** People who can be sent a message. */
export interface VoiceAddresses {
  type: "VoiceAddresses";
  people: VoiceAddress[];
}

/** Somebody who can be sent a message; ``address`` names them to the service. */
export interface VoiceAddress {
  name: string;
  address: string;
  number: string;
  person: string;
}

/** The greetings that the service has. */
export interface Greetings {
  type: "Greetings";
  greetings: Greeting[];
}

/** A greeting. ``on``: it counts; ``recorded``: the own recording is played instead of the standard words; */
export interface Greeting {
  kind: "standard" | "alternate" | "busy" | "closed" | "internal" | "holiday";
  on: boolean;
  recorded: boolean;
  until: string | null;
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

/** The password for the address found; ``remember``: the next start asks nothing. What is kept for that is a token */
export interface SignInWith {
  do: "SignInWith";
  n: number;
  password: string;
  remember?: boolean;
  user?: string;
}

/** Sign in at ``who_asks`` in the browser. Answer: BrowserSignIn. ``remember``: the next start asks nothing. */
export interface BeginBrowserSignIn {
  do: "BeginBrowserSignIn";
  n: number;
  remember?: boolean;
  quietly?: boolean;
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

/** Accept once and remember (only where ``may_accept``), or refuse; during the sign-in and while signed in. */
export interface AnswerCertificate {
  do: "AnswerCertificate";
  n: number;
  fingerprint: string;
  accept: boolean;
}

/** Look now for servers and what the company set, instead of at the next due time. */
export interface RefreshConfiguration {
  do: "RefreshConfiguration";
  n: number;
}

/** Do what ``ConfigurationChange.effect`` says: sign out and in again, or reset and then sign in; for told: seen. */
export interface ApplyConfiguration {
  do: "ApplyConfiguration";
  n: number;
}

/** Go on as before; asked again when something else changes, or at the next start. */
export interface PostponeConfiguration {
  do: "PostponeConfiguration";
  n: number;
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

/** People, rooms by text or number, after all directories answered. Answer: SearchResults. */
export interface Search {
  do: "Search";
  n: number;
  query: string;
  limit?: number;
}

/** Search in steps; ends the former search of this name. Answer: Findings at once, then FindingsGrew. */
export interface FindPeople {
  do: "FindPeople";
  n: number;
  search: string;
  query: string;
  limit?: number;
}

/** Go on with a search up to a larger limit. Answer: Findings, then FindingsGrew. */
export interface FindMore {
  do: "FindMore";
  n: number;
  search: string;
  limit: number;
}

/** Nobody waits for this search any more. */
export interface StopFinding {
  do: "StopFinding";
  n: number;
  search: string;
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

/** New name (nickname; empty: none) or groups of a contact; null leaves as it is. */
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

/** Make a contact by hand (empty ``person``) or change one. Answer: PersonCard. Only ``custom`` ones change. */
export interface SaveContact {
  do: "SaveContact";
  n: number;
  person?: string;
  name: string;
  title?: string;
  company?: string;
  mail?: string;
  address?: string;
  numbers?: TypedNumber[];
  groups?: string[];
}

/** A number as somebody typed it. */
export interface TypedNumber {
  kind: "work" | "mobile" | "home" | "other" | "pager" | "fax";
  value: string;
}

/** A new group without people. */
export interface AddGroup {
  do: "AddGroup";
  n: number;
  name: string;
}

/** Another name for a group; where that exists, the two become one. */
export interface RenameGroup {
  do: "RenameGroup";
  n: number;
  name: string;
  to: string;
}

/** Take a group away; its people stay in the list. */
export interface RemoveGroup {
  do: "RemoveGroup";
  n: number;
  name: string;
}

/** The groups in the order to show; those not named follow by name. */
export interface OrderGroups {
  do: "OrderGroups";
  n: number;
  groups: string[];
}

/** The people of a group (empty: those in none) in the order to show; an empty list: by name again. */
export interface OrderContacts {
  do: "OrderContacts";
  n: number;
  group: string;
  people: string[];
}

/** Read a file of contacts (base64, 2 MB at most) without changing anything. Answer: ImportPlan. */
export interface ReadContacts {
  do: "ReadContacts";
  n: number;
  name: string;
  data: string;
}

/** Do what a plan says, for these lines or for all. Answer: ImportDone. */
export interface ApplyImport {
  do: "ApplyImport";
  n: number;
  plan: string;
  lines?: number[] | null;
}

/** Take back what ApplyImport did. */
export interface UndoImport {
  do: "UndoImport";
  n: number;
  undo: string;
}

/** The contact list, or these groups of it, as a file. Answer: ExportedContacts. */
export interface ExportContacts {
  do: "ExportContacts";
  n: number;
  format: "csv" | "xml" | "vcard";
  groups?: string[] | null;
}

/** Try a directory now, step by step. Answer: DirectoryReport. */
export interface CheckDirectory {
  do: "CheckDirectory";
  n: number;
  source: string;
}

/** Name and password for the company directory, kept encrypted; an empty ``user`` forgets them. */
export interface SetDirectoryLogin {
  do: "SetDirectoryLogin";
  n: number;
  user: string;
  password: string;
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

/** Call a number, an address or a person id. Answer: CallMade. ``consults``: as a question for this call, which is */
export interface StartCall {
  do: "StartCall";
  n: number;
  to: string;
  video?: boolean;
  consults?: string;
}

/** Take a ringing call. Another active one is held, or ended with ``end_other``. */
export interface AnswerCall {
  do: "AnswerCall";
  n: number;
  call: string;
  video?: boolean;
  end_other?: boolean;
}

/** Refuse a ringing call on all devices; the caller hears busy or reaches the voicemail. */
export interface DeclineCall {
  do: "DeclineCall";
  n: number;
  call: string;
}

/** Send a ringing call to the voicemail. */
export interface DivertCall {
  do: "DivertCall";
  n: number;
  call: string;
}

/** End a call. */
export interface EndCall {
  do: "EndCall";
  n: number;
  call: string;
}

/** Hold, or take back with ``held`` false (which holds the other active call). */
export interface HoldCall {
  do: "HoldCall";
  n: number;
  call: string;
  held: boolean;
}

/** Send silence, or not any more. */
export interface MuteCall {
  do: "MuteCall";
  n: number;
  call: string;
  muted: boolean;
}

/** Tones (RFC 4733): 0 to 9, ``*``, ``#``, A to D. */
export interface SendDigits {
  do: "SendDigits";
  n: number;
  call: string;
  digits: string;
}

/** Connect the other side with somebody else, without asking first. */
export interface TransferCall {
  do: "TransferCall";
  n: number;
  call: string;
  to: string;
}

/** Connect the two other sides: of a call and of the one that consults for it. */
export interface CompleteTransfer {
  do: "CompleteTransfer";
  n: number;
  call: string;
  consult: string;
}

/** Make one conference of two calls. */
export interface MergeCalls {
  do: "MergeCalls";
  n: number;
  call: string;
  other: string;
}

/** Call somebody and take them into this call as soon as they answer. Answer: CallMade. */
export interface AddToCall {
  do: "AddToCall";
  n: number;
  call: string;
  to: string;
}

/** Park a call; its number comes with the call's ``parked``. */
export interface ParkCall {
  do: "ParkCall";
  n: number;
  call: string;
}

/** Carry on with a call on another device of the person. */
export interface MoveCall {
  do: "MoveCall";
  n: number;
  call: string;
  device: string;
}

/** Begin or end to send pictures in a call. */
export interface SetVideo {
  do: "SetVideo";
  n: number;
  call: string;
  on: boolean;
}

/** Take a call that rings at somebody else: of the own group, or of ``number``. Answer: CallMade. */
export interface PickUp {
  do: "PickUp";
  n: number;
  number?: string;
}

/** The page's offer (WebRTC) for a call's generation ``media``; a later one takes the sound over. Answer: */
export interface ConnectMedia {
  do: "ConnectMedia";
  n: number;
  call: string;
  media: number;
  sdp: string;
}

/** What the page measures between itself and the engine, once a second: loss of 100, ms, and its picture. */
export interface PageQuality {
  do: "PageQuality";
  n: number;
  call: string;
  loss?: number;
  jitter?: number;
  delay?: number;
  width?: number;
  height?: number;
  frames?: number;
}

/** Which device of the person this computer's calls use. */
export interface ChooseDevice {
  do: "ChooseDevice";
  n: number;
  device: string;
}

/** Send all calls to a number; empty: no longer. ``voicemail``: the word for the voicemail. */
export interface SetForward {
  do: "SetForward";
  n: number;
  to: string;
}

/** Calls don't ring here, or ring again. */
export interface SetDoNotDisturb {
  do: "SetDoNotDisturb";
  n: number;
  on: boolean;
}

/** Sound with as few bits as possible, no pictures. */
export interface SetLowBandwidth {
  do: "SetLowBandwidth";
  n: number;
  on: boolean;
}

/** What would be dialled for a text. Answer: NumberPlan. */
export interface PlanNumber {
  do: "PlanNumber";
  n: number;
  text: string;
}

/** Calls before a recent call's id, or the newest. Answer: RecentCalls. */
export interface GetRecents {
  do: "GetRecents";
  n: number;
  before?: string | null;
  limit?: number;
}

/** The missed calls have been looked at. */
export interface SeeRecents {
  do: "SeeRecents";
  n: number;
}

/** Take a past call out of the list. */
export interface RemoveRecent {
  do: "RemoveRecent";
  n: number;
  recent: string;
}

/** Pause, go on or end what is played on a phone. */
export interface ControlPhonePlay {
  do: "ControlPhonePlay";
  n: number;
  op: "pause" | "resume" | "stop";
}

/** To the deleted ones; with ``hard``, or where it lies there already, for good. */
export interface DeleteVoiceMessage {
  do: "DeleteVoiceMessage";
  n: number;
  message: string;
  hard?: boolean;
}

/** A recording is not wanted any more. */
export interface DropRecording {
  do: "DropRecording";
  n: number;
  recording: string;
}

/** Delete the deleted ones for good. */
export interface EmptyDeletedVoice {
  do: "EmptyDeletedVoice";
  n: number;
}

/** Who can be sent a message, by the beginning of a name. Answer: VoiceAddresses. */
export interface FindVoicePeople {
  do: "FindVoicePeople";
  n: number;
  query: string;
}

/** Answer: Greetings. */
export interface GetGreetings {
  do: "GetGreetings";
  n: number;
}

/** Messages of a folder before one of them, or the newest. Answer: VoiceMessages. */
export interface GetVoiceMessages {
  do: "GetVoiceMessages";
  n: number;
  folder: "inbox" | "sent" | "deleted";
  before?: string;
  limit?: number;
}

/** The shape of a message's sound, which is fetched and kept. Answer: VoiceSound. */
export interface GetVoiceSound {
  do: "GetVoiceSound";
  n: number;
  message: string;
}

/** Look now instead of waiting. */
export interface LookAtVoicemail {
  do: "LookAtVoicemail";
  n: number;
}

/** Heard, or new again. */
export interface MarkVoiceMessage {
  do: "MarkVoiceMessage";
  n: number;
  message: string;
  new: boolean;
}

/** Have a phone called and the message played there. ``number`` empty: the own line. */
export interface PlayOnPhone {
  do: "PlayOnPhone";
  n: number;
  message: string;
  number?: string;
  start?: number;
}

/** Keep a recording as a greeting; it counts from then on. */
export interface RecordGreeting {
  do: "RecordGreeting";
  n: number;
  kind: "standard" | "alternate" | "busy" | "closed" | "internal" | "holiday";
  recording: string;
}

/** Back to the inbox. */
export interface RestoreVoiceMessage {
  do: "RestoreVoiceMessage";
  n: number;
  message: string;
}

/** Send a recording. ``about``: the message it replies to or forwards (a forward may be without a recording). */
export interface SendVoiceMessage {
  do: "SendVoiceMessage";
  n: number;
  recording?: string;
  to?: string[];
  subject?: string;
  urgent?: boolean;
  private?: boolean;
  about?: string;
  how?: "new" | "reply" | "replyall" | "forward";
}

/** Switch a greeting. ``until``: an ISO time, empty: until it is switched off, null: as it is. */
export interface SetGreeting {
  do: "SetGreeting";
  n: number;
  kind: "standard" | "alternate" | "busy" | "closed" | "internal" | "holiday";
  on?: boolean | null;
  recorded?: boolean | null;
  until?: string | null;
}

/** Have a speech model of this machine write down what is said, or not any more. */
export interface SetTranscription {
  do: "SetTranscription";
  n: number;
  on: boolean;
}

/** The voicemail service's own account. */
export interface SignInToVoicemail {
  do: "SignInToVoicemail";
  n: number;
  user: string;
  password: string;
}

export type AnyEvent =
  | Welcome
  | SignInChanged
  | QuestionsChanged
  | AccountChanged
  | TraceGrew
  | PeopleChanged
  | FindingsGrew
  | DirectoriesChanged
  | MeChanged
  | ConversationsChanged
  | MessagesChanged
  | ServicesChanged
  | PlaceChanged
  | PhoneChanged
  | CallsChanged
  | RecentsChanged
  | MailboxChanged
  | VoiceMessagesChanged
  | Done
  | Refused;

export type AnyCommand =
  | FindServices
  | SignInWith
  | BeginBrowserSignIn
  | UseKnown
  | ForgetKnown
  | Cancel
  | TryAgain
  | SetManual
  | TestServers
  | AnswerCertificate
  | RefreshConfiguration
  | ApplyConfiguration
  | PostponeConfiguration
  | SignOut
  | GetTrace
  | SetPresence
  | ReportActivity
  | Search
  | FindPeople
  | FindMore
  | StopFinding
  | GetPerson
  | AddContact
  | ChangeContact
  | RemoveContact
  | AnswerRequest
  | SetBlocked
  | SaveContact
  | AddGroup
  | RenameGroup
  | RemoveGroup
  | OrderGroups
  | OrderContacts
  | ReadContacts
  | ApplyImport
  | UndoImport
  | ExportContacts
  | CheckDirectory
  | SetDirectoryLogin
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
  | SetConversation
  | StartCall
  | AnswerCall
  | DeclineCall
  | DivertCall
  | EndCall
  | HoldCall
  | MuteCall
  | SendDigits
  | TransferCall
  | CompleteTransfer
  | MergeCalls
  | AddToCall
  | ParkCall
  | MoveCall
  | SetVideo
  | PickUp
  | ConnectMedia
  | PageQuality
  | ChooseDevice
  | SetForward
  | SetDoNotDisturb
  | SetLowBandwidth
  | PlanNumber
  | GetRecents
  | SeeRecents
  | RemoveRecent
  | ControlPhonePlay
  | DeleteVoiceMessage
  | DropRecording
  | EmptyDeletedVoice
  | FindVoicePeople
  | GetGreetings
  | GetVoiceMessages
  | GetVoiceSound
  | LookAtVoicemail
  | MarkVoiceMessage
  | PlayOnPhone
  | RecordGreeting
  | RestoreVoiceMessage
  | SendVoiceMessage
  | SetGreeting
  | SetTranscription
  | SignInToVoicemail;
