/** How the contact list is laid out: favourites, own groups, and those in no group. Pure. */
import type { Texts } from "../texts/texts";
import type { Person } from "../wire";

/** The group that the engine takes for favourites: it is shown first, under its own name in each language. */
export const FAVOURITES = "Favourites";

/** What a group is called here. */
export const groupName = (texts: Texts, name: string): string => (name === FAVOURITES ? texts.t("contacts.favourites") : name || texts.t("contacts.ungrouped"));

export interface Group {
  /** A group's name; empty: those in no group. */
  name: string;
  favourite: boolean;
  people: Person[];
  available: number;
}

export const isAvailable = (person: Person): boolean => !["offline", "unknown", "out"].includes(person.presence.show);

const group = (name: string, favourite: boolean, people: readonly Person[]): Group => ({
  name,
  favourite,
  people: [...people].sort((a, b) => a.name.localeCompare(b.name)),
  available: people.filter(isAvailable).length,
});

export function groupPeople(people: readonly Person[], groups: readonly string[]): Group[] {
  const listed = people.filter((person) => person.in_list);
  const favourites = listed.filter((person) => person.favourite);
  const all = new Set([...groups, ...listed.flatMap((person) => person.groups)]);
  const names = [...all].filter((name) => name !== FAVOURITES).sort((a, b) => a.localeCompare(b));
  const loose = listed.filter((person) => person.groups.every((name) => name === FAVOURITES));
  return [
    ...(favourites.length ? [group("", true, favourites)] : []),
    ...names.map((name) => group(name, false, listed.filter((person) => person.groups.includes(name)))),
    ...(loose.length ? [group("", false, loose)] : []),
  ];
}
