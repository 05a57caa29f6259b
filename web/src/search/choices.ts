/** What a search offers, from top to bottom, as one list that arrows go through. */
import type { Conversation, FoundPerson } from "../wire";

export type Choice =
  | { kind: "call"; id: string; to: string }
  | { kind: "person"; id: string; row: FoundPerson }
  | { kind: "more"; id: string }
  | { kind: "room"; id: string; room: Conversation }
  | { kind: "write"; id: string; to: string };

interface Found {
  dialable: boolean;
  query: string;
  people: readonly FoundPerson[];
  more: boolean;
  rooms: readonly Conversation[];
  /** Nobody answers any more, so that what is not here is not anywhere. */
  complete: boolean;
  chats: boolean;
}

const isAddress = (text: string) => /^[^@\s]+@[^@\s]+$/u.test(text);

export function choicesOf({ dialable, query, people, more, rooms, complete, chats }: Found): Choice[] {
  const stranger = chats && complete && isAddress(query) && !people.some(({ person }) => person.id === query.toLowerCase());
  return [
    ...(dialable ? [{ kind: "call", id: "call", to: query } as const] : []),
    ...people.map((row) => ({ kind: "person", id: `person:${row.person.id}`, row }) as const),
    ...(more ? [{ kind: "more", id: "more" } as const] : []),
    ...rooms.map((room) => ({ kind: "room", id: `room:${room.id}`, room }) as const),
    ...(stranger ? [{ kind: "write", id: "write", to: query } as const] : []),
  ];
}

/** The next choice for an arrow: round at the ends. */
export function stepFrom(choices: readonly Choice[], active: string, step: number): string {
  const at = choices.findIndex((choice) => choice.id === active);
  return choices[(Math.max(at, 0) + step + choices.length) % choices.length]?.id ?? "";
}
