import { expect, test } from "vitest";

import type { Person } from "../wire";
import { groupPeople } from "./groups";

const person = (id: string, change: Partial<Person> = {}): Person => ({
  ...{ id, name: id, presence: { show: "available", status: "", since: null, until: null, reasons: [] }, photo: "", title: "" },
  ...{ department: "", manager: "", mail: "", numbers: [], groups: [], in_list: true, favourite: false, subscription: "both" },
  ...{ pending: false, asks: false, blocked: false, source: "", chat: id, nickname: "", full_name: "" },
  ...{ company: "", location: "", mails: [], manager_id: "", custom: false },
  ...change,
});

test("favourites come first, then groups by name, then those without a group", () => {
  const groups = groupPeople(
    [person("b", { groups: ["Sales"] }), person("a", { groups: ["Depot", "Sales", "Favourites"], favourite: true }), person("c")],
    ["Empty"],
  );
  expect(groups.map((group) => [group.name, group.favourite, group.people.map((one) => one.id)])).toEqual([
    ["", true, ["a"]],
    ["Depot", false, ["a"]],
    ["Empty", false, []],
    ["Sales", false, ["a", "b"]],
    ["", false, ["c"]],
  ]);
});

test("people who are not in the list are left out, and only those who are there count as available", () => {
  const away = { ...person("x").presence, show: "offline" as const };
  const groups = groupPeople([person("a"), person("b", { presence: away }), person("z", { in_list: false })], []);
  expect(groups).toMatchObject([{ available: 1, people: [{ id: "a" }, { id: "b" }] }]);
});
