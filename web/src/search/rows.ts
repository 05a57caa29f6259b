/** Which rows a search shows, and in which order: what stands on the screen keeps its place, whatever comes later. Pure. */
import type { FoundPerson, Person } from "../wire";
import { personFits } from "./own";

export interface Listed {
  query: string;
  people: readonly FoundPerson[];
}

export const nothing: Listed = { query: "", people: [] };

export const asFound = (person: Person): FoundPerson => ({ person, matched: "name", value: "", sources: [] });

/**
 * The people to show for a query: `own` fit by what the page knows, `found` is what the directories said so far. Until
 * all have answered, those of the query before stay where they still fit: they would only go to come again.
 */
export function listPeople(before: Listed, query: string, own: readonly Person[], found: readonly FoundPerson[], complete: boolean): Listed {
  const known = new Map<string, FoundPerson>(own.map((person) => [person.id, asFound(person)]));
  const former = before.people.filter(({ person }) => !complete && personFits(person, query));
  for (const row of [...former, ...found]) known.set(row.person.id, row);
  const placed = before.query === query ? before.people.map(({ person }) => person.id) : [];
  const order = new Set([...placed, ...known.keys()]);
  return { query, people: [...order].flatMap((id) => known.get(id) ?? []) };
}
