/** How the contact list is laid out, and what moving somebody in it means. Pure. */
import type { Texts } from "../texts/texts";
import type { Person } from "../wire";

/** The group that the engine takes for favourites: it is shown first, under its own name in each language. */
export const FAVOURITES = "Favourites";

/** What a group is called here. */
export const groupName = (texts: Texts, name: string): string => (name === FAVOURITES ? texts.t("contacts.favourites") : name || texts.t("contacts.ungrouped"));

export interface Group {
  /** As the engine knows it; empty: those in no group. */
  name: string;
  people: Person[];
  available: number;
  /** Somebody put its people in order; else they stand by name. */
  ordered: boolean;
}

export type Orders = Readonly<Record<string, readonly string[]>>;

export const isAvailable = (person: Person): boolean => !["offline", "unknown", "out"].includes(person.presence.show);

const isLoose = (person: Person) => person.groups.every((name) => name === FAVOURITES);
const isIn = (person: Person, name: string) => (name === FAVOURITES ? person.favourite : name ? person.groups.includes(name) : isLoose(person));

/** Those put in order by hand first, in that order; all others by name. */
function sorted(people: readonly Person[], order: readonly string[]): Person[] {
  const place = new Map(order.map((id, at) => [id, at]));
  const at = (person: Person) => place.get(person.id) ?? order.length;
  return [...people].sort((a, b) => at(a) - at(b) || a.name.localeCompare(b.name));
}

/** `groups` come in the order to show; favourites stand above and those in no group below, where there are any. */
export function groupPeople(people: readonly Person[], groups: readonly string[], orders: Orders = {}): Group[] {
  const listed = people.filter((person) => person.in_list);
  const known = new Set([FAVOURITES, ...groups]);
  const others = [...new Set(listed.flatMap((person) => person.groups))].filter((name) => !known.has(name)).sort((a, b) => a.localeCompare(b));
  return [...known, ...others, ""]
    .map((name) => {
      const members = listed.filter((person) => isIn(person, name));
      const order = orders[name] ?? [];
      return { name, people: sorted(members, order), available: members.filter(isAvailable).length, ordered: order.length > 0 };
    })
    .filter((group) => group.people.length || (group.name && group.name !== FAVOURITES));
}

/** A list with one item before another one, or at the end (null). */
export function placed(items: readonly string[], item: string, before: string | null): string[] {
  const rest = items.filter((one) => one !== item);
  const at = before === null || before === item ? -1 : rest.indexOf(before);
  return before === item ? [...items] : at < 0 ? [...rest, item] : [...rest.slice(0, at), item, ...rest.slice(at)];
}

/** A list with one item moved by so many places; null: it is at the end already. */
export function stepped(items: readonly string[], item: string, by: number): string[] | null {
  const at = items.indexOf(item);
  const to = at + by;
  if (at < 0 || to < 0 || to >= items.length) return null;
  const rest = items.filter((one) => one !== item);
  return [...rest.slice(0, to), item, ...rest.slice(to)];
}

/**
 * The groups of somebody who was carried from one to another: he leaves the first, unless a copy was asked for. Out of
 * the favourites nobody is carried away: that is a star, not a place.
 */
export function carried(groups: readonly string[], from: string, to: string, copy: boolean): string[] {
  const kept = copy || from === FAVOURITES || from === to ? groups : groups.filter((name) => name !== from);
  const all = to ? [...kept, to] : kept.filter((name) => name === FAVOURITES);
  return [...new Set(all)];
}
