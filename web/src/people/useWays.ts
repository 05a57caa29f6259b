/** How a person can be reached from here: what is not possible is not there. */
import { useEngine, useFeatures, usePerson } from "../engine/hooks";
import { go } from "../engine/place";
import type { Person } from "../wire";
import type { Dialling } from "./useDialling";
import { useDialling } from "./useDialling";

export interface Ways extends Pick<Dialling, "barred" | "marks"> {
  chat?: () => void;
  call?: () => void;
  video?: () => void;
  mail?: string;
}

/** Some are known by a number or a mail address only. */
export const canChat = (person: Person): boolean => person.chat !== "";

/** By a number, or by the address: not everybody has either. */
export const canCall = (person: Person): boolean => person.chat !== "" || person.numbers.some((number) => number.kind !== "fax" && number.kind !== "pager");

export function useWays(person: Person): Ways {
  const engine = useEngine();
  const { can, barred, marks } = useDialling();
  const features = useFeatures();
  const chat = async () => go("chats", (await engine.openChat(person.id)).id);
  return {
    barred,
    marks,
    ...(features?.chats && canChat(person) ? { chat: () => void chat() } : {}),
    ...(can && canCall(person) ? { call: () => void engine.phone.start(person.id) } : {}),
    ...(can && canCall(person) && features?.video ? { video: () => void engine.phone.start(person.id, true) } : {}),
    ...(person.mail ? { mail: person.mail } : {}),
  };
}

/** Whether one can write to whoever an id stands for; of people not yet told of, the id says it. */
export function useChatWith(id: string): boolean {
  const person = usePerson(id);
  return person ? canChat(person) : Boolean(id) && !id.startsWith("~");
}
