/** How a person can be reached from here: what is not possible is not there. */
import { useCallsMissing, useCanCall, useEngine, useFeatures, usePerson } from "../engine/hooks";
import { go } from "../engine/place";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";

export interface Ways {
  chat?: () => void;
  call?: () => void;
  video?: () => void;
  mail?: string;
  /** Why calls, though they are shown, can't be made from here; empty where they can. */
  barred: string;
  /** What marks their buttons then. */
  marks: { "aria-disabled"?: true; title?: string };
}

/** Some are known by a number or a mail address only. */
export const canChat = (person: Person): boolean => person.chat !== "";

/** By a number, or by the address: not everybody has either. */
export const canCall = (person: Person): boolean => person.chat !== "" || person.numbers.some((number) => number.kind !== "fax" && number.kind !== "pager");

export function useWays(person: Person): Ways {
  const engine = useEngine();
  const calls = useCanCall();
  const { reason } = useTexts();
  const barred = reason(useCallsMissing());
  const features = useFeatures();
  const chat = async () => go("chats", (await engine.openChat(person.id)).id);
  return {
    barred,
    marks: barred ? { "aria-disabled": true, title: barred } : {},
    ...(features?.chats && canChat(person) ? { chat: () => void chat() } : {}),
    ...(calls && canCall(person) ? { call: () => void (barred || engine.phone.start(person.id)) } : {}),
    ...(calls && canCall(person) && features?.video ? { video: () => void (barred || engine.phone.start(person.id, true)) } : {}),
    ...(person.mail ? { mail: person.mail } : {}),
  };
}

/** Whether one can write to whoever an id stands for; of people not yet told of, the id says it. */
export function useChatWith(id: string): boolean {
  const person = usePerson(id);
  return person ? canChat(person) : Boolean(id) && !id.startsWith("~");
}
