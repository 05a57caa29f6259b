import { expect, test } from "vitest";

import type { Person } from "../wire";
import { carried, groupPeople, placed, stepped } from "./groups";

const person = (id: string, change: Partial<Person> = {}): Person => ({
  ...{ id, name: id, presence: { show: "available", status: "", since: null, until: null, reasons: [] }, photo: "", title: "" },
  ...{ department: "", manager: "", mail: "", numbers: [], groups: [], in_list: true, favourite: false, subscription: "both" },
  ...{ pending: false, asks: false, blocked: false, source: "", chat: id, nickname: "", full_name: "" },
  ...{ company: "", location: "", mails: [], manager_id: "", custom: false },
  ...change,
});

test("favourites come first, then groups as the engine has them, then those without a group", () => {
  const groups = groupPeople(
    [person("b", { groups: ["Sales"] }), person("a", { groups: ["Depot", "Sales", "Favourites"], favourite: true }), person("c")],
    ["Sales", "Empty"],
  );
  expect(groups.map((group) => [group.name, group.people.map((one) => one.id)])).toEqual([
    ["Favourites", ["a"]],
    ["Sales", ["a", "b"]],
    ["Empty", []],
    ["Depot", ["a"]],
    ["", ["c"]],
  ]);
});

test("people who are not in the list are left out, and only those who are there count as available", () => {
  const away = { ...person("x").presence, show: "offline" as const };
  const groups = groupPeople([person("a"), person("b", { presence: away }), person("z", { in_list: false })], []);
  expect(groups).toMatchObject([{ available: 1, people: [{ id: "a" }, { id: "b" }] }]);
});

test("those put in order by hand stand in it, others follow by name", () => {
  const people = ["a", "b", "c", "d"].map((id) => person(id, { groups: ["Sales"] }));
  expect(groupPeople(people, ["Sales"], { Sales: ["d", "b"] })[0]).toMatchObject({ ordered: true, people: ["d", "b", "a", "c"].map((id) => ({ id })) });
});

test.each([
  ["c", "a", ["c", "a", "b"]],
  ["a", null, ["b", "c", "a"]],
  ["a", "c", ["b", "a", "c"]],
  ["b", "b", ["a", "b", "c"]],
  ["x", "b", ["a", "x", "b", "c"]],
])("%s is placed before %s", (item, before, order) => {
  expect(placed(["a", "b", "c"], item, before)).toEqual(order);
});

test("a step beyond the ends is none", () => {
  expect(stepped(["a", "b"], "a", 1)).toEqual(["b", "a"]);
  expect(stepped(["a", "b"], "b", 1)).toBeNull();
  expect(stepped(["a", "b"], "a", -1)).toBeNull();
});

test("who is carried leaves the old group, unless copied, and keeps the star", () => {
  expect(carried(["Favourites", "Depot"], "Depot", "Sales", false)).toEqual(["Favourites", "Sales"]);
  expect(carried(["Depot"], "Depot", "Sales", true)).toEqual(["Depot", "Sales"]);
  expect(carried(["Favourites", "Depot"], "Favourites", "Sales", false)).toEqual(["Favourites", "Depot", "Sales"]);
  expect(carried(["Favourites", "Depot"], "Depot", "", false)).toEqual(["Favourites"]);
  expect(carried(["Depot"], "Depot", "Favourites", true)).toEqual(["Depot", "Favourites"]);
});
