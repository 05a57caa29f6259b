import { expect, test } from "vitest";

import type { FoundPerson, Person } from "../wire";
import { matchIn, ownPeople, personFits } from "./own";
import { asFound, listPeople, nothing } from "./rows";

const person = (id: string, change: Partial<Person> = {}): Person => ({
  ...{ id, name: id, presence: { show: "available", status: "", since: null, until: null, reasons: [] }, photo: "", title: "" },
  ...{ department: "", manager: "", mail: "", numbers: [], groups: [], in_list: false, favourite: false, subscription: "none" },
  ...{ pending: false, asks: false, blocked: false, source: "", chat: id, nickname: "", full_name: "", company: "", location: "" },
  ...{ mails: [], manager_id: "", custom: false },
  ...change,
});
const rows = (...people: Person[]): FoundPerson[] => people.map(asFound);
const ids = (list: { people: readonly FoundPerson[] }) => list.people.map((row) => row.person.id);
const marked = (text: string, query: string) => matchIn(text, query).map((part) => (part.match ? `[${part.text}]` : part.text)).join("");

const [ada, ben, cem] = [person("ada", { name: "Ada One" }), person("ben", { name: "Ben One" }), person("cem", { name: "Cem One" })];

test("what came first keeps its place, however the directories rank it", () => {
  const first = listPeople(nothing, "one", [cem], rows(cem), false);
  const second = listPeople(first, "one", [cem], rows(ada, cem, ben), true);
  expect(ids(second)).toEqual(["cem", "ada", "ben"]);
});

test("while one types, those who still fit stay until everybody has answered", () => {
  const first = listPeople(nothing, "o", [], rows(ada, ben), true);
  expect(ids(listPeople(first, "on", [], [], false))).toEqual(["ada", "ben"]);
  expect(ids(listPeople(first, "ben", [], [], false))).toEqual(["ben"]);
  expect(ids(listPeople(first, "on", [], [], true))).toEqual([]);
});

test("accents, case and the notation of numbers do not count", () => {
  const primoz = person("p", { name: "Primož Ramšak", numbers: [{ kind: "work", value: "+41445552002", shown: "+41 44 555 20 02" }] });
  expect(personFits(primoz, "RAMS prim")).toBe(true);
  expect(personFits(primoz, "044 555-20 02")).toBe(true);
  expect(personFits(primoz, "2003")).toBe(false);
});

test("a name counts more than a department, and favourites more than others", () => {
  const depot = person("d", { name: "Zoe", department: "Ada team", in_list: true });
  expect(ownPeople("ada", [depot, ada, person("f", { name: "Ada Two", favourite: true })]).map((one) => one.id)).toEqual(["f", "ada", "d"]);
});

test.each([
  ["Priya Raman", "pri ram", "[Pri]ya [Ram]an"],
  ["Primož Ramšak", "rams", "Primož [Ramš]ak"],
  ["+41 44 555 20 02", "044 555 2", "+41 [44 555 2]0 02"],
  ["+41 44 555 20 02", "(044) 555", "+41 [44 555] 20 02"],
  ["+41 44 555 20 02", "999 99", "+41 44 555 20 02"],
])("in %s the search %s is found at %s", (text, query, shown) => {
  expect(marked(text, query)).toBe(shown);
});
