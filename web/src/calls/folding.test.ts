import { expect, test } from "vitest";

import type { Recent } from "../wire";
import { foldRecents } from "./folding";

const recent = (id: string, at: string, result: Recent["result"], number = "1002", direction: Recent["direction"] = "in"): Recent => ({
  ...{ id, at, result, direction, seconds: 0, seen: true, video: false, device: "", word: "unknown", quality: null, story: [] },
  party: { number, shown: number, name: number === "1002" ? "Bruno Keller" : "Zoë Müller", uri: "", person: "", emergency: false },
});

test("what was missed again and again is one line, broken by another call, another person or another day", () => {
  const days = foldRecents(
    [
      recent("6", "2026-11-22T12:00:00", "missed"),
      recent("5", "2026-11-22T11:00:00", "missed"),
      recent("4", "2026-11-22T10:00:00", "answered"),
      recent("3", "2026-11-22T09:00:00", "missed"),
      recent("2", "2026-11-22T08:00:00", "missed", "1003"),
      recent("1", "2026-11-21T08:00:00", "missed", "1003"),
    ],
    "all",
  );
  expect(days.map((day) => day.folds.map((fold) => [fold.newest.id, fold.times]))).toEqual([
    [
      ["6", 2],
      ["4", 1],
      ["3", 1],
      ["2", 1],
    ],
    [["1", 1]],
  ]);
});

test("answered calls are never folded: each has a length", () => {
  const days = foldRecents([recent("2", "2026-11-22T12:00:00", "answered"), recent("1", "2026-11-22T11:00:00", "answered")], "all");
  expect(days[0]?.folds).toHaveLength(2);
});

test("filters and search find by name without accents and by digits however they are written", () => {
  const all = [recent("2", "2026-11-22T12:00:00", "missed", "+41 44 1003"), recent("1", "2026-11-22T11:00:00", "busy", "1002", "out")];
  const ids = (...args: [Parameters<typeof foldRecents>[1], string?]) => foldRecents(all, ...args).flatMap((day) => day.folds.map((fold) => fold.newest.id));
  expect(ids("missed")).toEqual(["2"]);
  expect(ids("made")).toEqual(["1"]);
  expect(ids("all", "muller")).toEqual(["2"]);
  expect(ids("all", "441003")).toEqual(["2"]);
  expect(ids("all", "nobody")).toEqual([]);
});
