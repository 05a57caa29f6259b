/** Finding among what is here already, and putting it together with what the directory answers. Pure. */
import type { Conversation, Person, SearchResults } from "../wire";

export type FoundPerson = { kind: "person"; person: Person };
export type FoundRoom = { kind: "room"; conversation: Conversation };
export type Found = FoundPerson | FoundRoom;
export interface Results {
  people: FoundPerson[];
  rooms: FoundRoom[];
}

const MOST = 8;

const plain = (text: string) => text.normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();
const wordsOf = (query: string) => plain(query).split(/\s+/u).filter(Boolean);

/** Every word of the query begins a word of the text. */
function fits(text: string, words: readonly string[]): boolean {
  const parts = plain(text).split(/[\s@.,()_-]+/u);
  return words.every((word) => parts.some((part) => part.startsWith(word)));
}

const digits = (text: string) => text.replace(/\D/gu, "");

export function findOwn(query: string, people: readonly Person[], conversations: readonly Conversation[]): Results {
  const words = wordsOf(query);
  if (!words.length) return { people: [], rooms: [] };
  const dialled = /^[+\d][\d\s()/-]{2,}$/u.test(query) ? digits(query) : "";
  const found = people.filter(
    (person) =>
      fits(`${person.name} ${person.id} ${person.department}`, words) ||
      (dialled !== "" && person.numbers.some((number) => digits(number.value).includes(dialled))),
  );
  found.sort((a, b) => Number(b.in_list) - Number(a.in_list) || a.name.localeCompare(b.name));
  const rooms = conversations.filter((chat) => chat.kind === "room" && fits(chat.title, words));
  return {
    people: found.slice(0, MOST).map((person) => ({ kind: "person", person })),
    rooms: rooms.slice(0, MOST).map((conversation) => ({ kind: "room", conversation })),
  };
}

/** What is there already keeps its place; the directory's people come below. */
export function arrange(own: Results, answer: SearchResults | null): Results {
  if (!answer) return own;
  const here = new Set(own.people.map(({ person }) => person.id));
  const rooms = new Set(own.rooms.map(({ conversation }) => conversation.id));
  const more: FoundPerson[] = answer.people.filter((person) => !here.has(person.id)).map((person) => ({ kind: "person", person }));
  const moreRooms: FoundRoom[] = answer.conversations
    .filter((chat) => chat.kind === "room" && !rooms.has(chat.id))
    .map((conversation) => ({ kind: "room", conversation }));
  return { people: [...own.people, ...more], rooms: [...own.rooms, ...moreRooms] };
}

/** A text in parts, those that match a word of the query marked. */
export function matchIn(text: string, query: string): { text: string; match: boolean }[] {
  const words = wordsOf(query);
  const parts: { text: string; match: boolean }[] = [];
  for (const piece of text.split(/([\s@.,()_-]+)/u)) {
    const word = words.find((candidate) => plain(piece).startsWith(candidate));
    if (!word) parts.push({ text: piece, match: false });
    else parts.push({ text: piece.slice(0, word.length), match: true }, { text: piece.slice(word.length), match: false });
  }
  return parts.filter((part) => part.text);
}
