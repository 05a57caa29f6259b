/** How views read the store: each hook subscribes to one key, so that a change paints one row. */
import { createContext, useCallback, useContext, useMemo, useSyncExternalStore } from "react";

import type { Call, Conversation, Person, Recent, VoiceMessage } from "../wire";
import type { Engine } from "./engine";
import { emptyThread } from "./state";

export const EngineContext = createContext<Engine | null>(null);

export function useEngine(): Engine {
  const engine = useContext(EngineContext);
  if (!engine) throw new Error("useEngine needs an EngineContext around it");
  return engine;
}

function useKey<Value>(key: string, read: (engine: Engine) => Value): Value {
  const engine = useEngine();
  const subscribe = useCallback((listener: () => void) => engine.store.subscribe(key, listener), [engine, key]);
  return useSyncExternalStore(subscribe, () => read(engine));
}

/** A number that changes with anything under a key, for lists made from maps. */
export const useVersion = (key: string) => useKey(key, (engine) => engine.store.version(key));

export const useSignIn = () => useKey("signIn", (engine) => engine.store.state.signIn);
export const useQuestions = () => useKey("questions", (engine) => engine.store.state.questions);
export const useAccount = () => useKey("account", (engine) => engine.store.state.account);
export const useSecurity = () => useKey("security", (engine) => engine.store.state.security);
export const useMe = () => useKey("me", (engine) => engine.store.state.me);
export const useFeatures = () => useKey("features", (engine) => engine.store.state.features);
export const useTrace = () => useKey("trace", (engine) => engine.store.state.trace);
export const useLink = () => useKey("link", (engine) => engine.store.link);
export const usePerson = (id: string) => useKey(`person:${id}`, (engine) => engine.store.state.people.get(id));
export const useConversation = (id: string) => useKey(`conversation:${id}`, (engine) => engine.store.state.conversations.get(id));
export const useThread = (id: string) => useKey(`thread:${id}`, (engine) => engine.store.state.threads.get(id) ?? emptyThread);
export const useGroups = () => useKey("people", (engine) => engine.store.state.groups);
export const useOrders = () => useKey("people", (engine) => engine.store.state.orders);
export const useDirectories = () => useKey("directories", (engine) => engine.store.state.directories);
export const useWhere = () => useKey("where", (engine) => engine.store.state.where);
export const useSoftphone = () => useKey("phone", (engine) => engine.store.state.phone);
export const useCall = (id: string) => useKey(`call:${id}`, (engine) => engine.store.state.calls.get(id));
export const useMailbox = () => useKey("mailbox", (engine) => engine.store.state.mailbox);
export const usePhoneProblem = () => useKey("problem", (engine) => engine.phone.problem);
export const useAppVersion = () => useKey("version", (engine) => engine.store.state.version);

export function useServices() {
  const { store } = useEngine();
  const version = useVersion("services");
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the version stands for the map
  return useMemo(() => [...store.state.services.values()], [store, version]);
}

/** Whether a message that is written now goes out now: the engine is there, and it is connected. */
export function useOnline(): boolean {
  const link = useLink();
  const messages = useServices().find((service) => service.id === "messages");
  return link.open && messages?.state === "up";
}

export function usePeople(): readonly Person[] {
  const { store } = useEngine();
  const version = useVersion("people");
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the version stands for the map
  return useMemo(() => [...store.state.people.values()], [store, version]);
}

export function useConversations(): readonly Conversation[] {
  const { store } = useEngine();
  const version = useVersion("conversations");
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the version stands for the map
  return useMemo(() => [...store.state.conversations.values()], [store, version]);
}

/** Calls that go on, and those whose end is being shown. */
export function useCalls(): readonly Call[] {
  const { store } = useEngine();
  const version = useVersion("calls");
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the version stands for the map
  return useMemo(() => [...store.state.calls.values()], [store, version]);
}

/** Past calls, newest first. */
export function useRecents(): readonly Recent[] {
  const { store } = useEngine();
  const version = useVersion("recents");
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the version stands for the map
  return useMemo(() => [...store.state.recents.values()], [store, version]);
}

/** Voice messages of all folders, newest first. */
export function useVoice(): readonly VoiceMessage[] {
  const { store } = useEngine();
  const version = useVersion("voice");
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the version stands for the map
  return useMemo(() => [...store.state.voice.values()].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)), [store, version]);
}

/** Whether there is a voicemail at all: one to be seen here, or at least one to be called. */
export function useHasVoicemail(): boolean {
  const mailbox = useMailbox();
  return mailbox !== null && (mailbox.state !== "off" || mailbox.dial !== "");
}

/** Why one can't call from where one is, to be said beside what stays visible; null where one can. */
export const useCallsMissing = () => useWhere().missing.find((one) => one.id === "calls")?.reason ?? null;

/** Whether this person has a phone here: only then calls are offered. */
export function useCanCall(): boolean {
  const features = useFeatures();
  const phone = useSoftphone();
  return Boolean(features?.calls) && phone !== null && phone.state !== "off";
}
