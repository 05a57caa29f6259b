/** Finding among what is here already, and where in a text a search is found. Pure. */
import type { Conversation, Person } from "../wire";

const MOST = 8;

const plain = (text: string) => text.normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();
export const wordsOf = (query: string) => plain(query).split(/\s+/u).filter(Boolean);
const digits = (text: string) => text.replace(/\D/gu, "");
const BETWEEN = /[\s@.,()_-]+/u;

/** Every word of the query begins a word of the text. */
function fits(text: string, words: readonly string[]): boolean {
  const parts = plain(text).split(BETWEEN);
  return words.every((word) => parts.some((part) => part.startsWith(word)));
}

/** The digits of a number in any notation, without those that stand for "abroad" and "another town"; empty: no number. */
export function dialled(query: string): string {
  return /^(?:tel:)?[+(\d][\d\s()./-]{2,}$/u.test(query) ? digits(query).replace(/^0+/u, "") : "";
}

/** Whether a person fits a search, by what is known here. */
export function personFits(person: Person, query: string): boolean {
  const words = wordsOf(query);
  if (!words.length) return false;
  const number = dialled(query);
  if (number && person.numbers.some((one) => digits(one.value).includes(number))) return true;
  const { name, nickname, full_name: full, id, department, title, company, mails } = person;
  return fits([name, nickname, full, id, department, title, company, ...mails].join(" "), words);
}

/** Who fits best: by the name, a favourite, in the list; else by name. */
const weight = (person: Person, words: readonly string[]) =>
  (fits(person.name, words) ? 4 : 0) + (person.favourite ? 2 : 0) + (person.in_list ? 1 : 0);

export function ownPeople(query: string, people: readonly Person[]): Person[] {
  const words = wordsOf(query);
  const found = people.filter((person) => personFits(person, query));
  found.sort((a, b) => weight(b, words) - weight(a, words) || a.name.localeCompare(b.name));
  return found.slice(0, MOST);
}

export function ownRooms(query: string, conversations: readonly Conversation[]): Conversation[] {
  const words = wordsOf(query);
  if (!words.length) return [];
  return conversations.filter((chat) => chat.kind === "room" && fits(chat.title, words)).slice(0, MOST);
}

export interface Part {
  text: string;
  match: boolean;
}

/** The digits of a number that were typed, whatever stands between them; null: it is another number. */
function digitsIn(text: string, number: string): Part[] | null {
  const places = [...text.matchAll(/\d/gu)].map((digit) => digit.index);
  const first = digits(text).indexOf(number);
  if (!number || first < 0) return null;
  const [begin, end] = [places[first] ?? 0, (places[first + number.length - 1] ?? 0) + 1];
  return [
    { text: text.slice(0, begin), match: false },
    { text: text.slice(begin, end), match: true },
    { text: text.slice(end), match: false },
  ];
}

/** A text in parts, those that match a word of the query marked. */
export function matchIn(text: string, query: string): Part[] {
  const number = digitsIn(text, dialled(query));
  if (number) return number.filter((part) => part.text);
  const words = wordsOf(query);
  const parts: Part[] = [];
  for (const piece of text.split(/([\s@.,()_-]+)/u)) {
    const word = words.find((candidate) => plain(piece).startsWith(candidate));
    if (!word) parts.push({ text: piece, match: false });
    else parts.push({ text: piece.slice(0, word.length), match: true }, { text: piece.slice(word.length), match: false });
  }
  return parts.filter((part) => part.text);
}
