import { expect, test } from "vitest";

import type { Message, Recent } from "../wire";
import { isOnlyEmoji, makeRows, withLinks } from "./rows";

const message = (id: string, at: string, change: Partial<Message> = {}): Message => ({
  ...{ id, at, conversation: "c", sender: "a@x", sender_name: "A", own: false, body: id, state: "received" },
  ...{ read_by: [], failure: null, kind: "text", event: null },
  ...change,
});

test("messages of one person within five minutes are one group", () => {
  const rows = makeRows(
    [message("1", "2026-01-05T10:00:00"), message("2", "2026-01-05T10:04:00"), message("3", "2026-01-05T10:20:00")],
    null,
    false,
  );
  expect(rows.map((row) => row.kind)).toEqual(["day", "message", "message", "message"]);
  expect(rows.flatMap((row) => (row.kind === "message" ? [[row.first, row.last]] : []))).toEqual([
    [true, false],
    [false, true],
    [true, true],
  ]);
});

test("the unread line breaks a group and counts what others wrote", () => {
  const rows = makeRows(
    [message("1", "2026-01-05T10:00:00"), message("2", "2026-01-05T10:01:00"), message("3", "2026-01-05T10:02:00", { own: true })],
    "2",
    true,
  );
  expect(rows.map((row) => row.kind)).toEqual(["start", "day", "message", "unread", "message", "message"]);
  expect(rows.find((row) => row.kind === "unread")).toMatchObject({ count: 1 });
});

test("events fold into one line, and a new day separates", () => {
  const event = { kind: "event" as const, event: { id: "room.joined", values: {} } };
  const rows = makeRows(
    [message("1", "2026-01-05T10:00:00", event), message("2", "2026-01-05T10:01:00", event), message("3", "2026-01-06T08:00:00")],
    null,
    false,
  );
  expect(rows.map((row) => row.kind)).toEqual(["day", "events", "day", "message"]);
});

const recent = (id: string, at: string): Recent => ({
  ...{ id, at, result: "answered", direction: "in", seconds: 60, seen: true, video: false, device: "", word: "good", quality: null, story: [] },
  party: { number: "2002", shown: "2002", name: "B", uri: "", person: "b@x", emergency: false },
});

test("calls stand among messages at their time, break groups and begin days; older ones wait for older messages", () => {
  const messages = [message("1", "2026-01-05T10:00:00.500000Z"), message("2", "2026-01-05T10:02:00Z")];
  const calls = [recent("late", "2026-01-06T09:00:00Z"), recent("mid", "2026-01-05T10:01:00Z"), recent("early", "2026-01-04T10:00:00Z")];
  const rows = makeRows(messages, null, false, calls);
  expect(rows.map((row) => row.key.replace(/^day:.*/u, "day"))).toEqual(["day", "1", "call:mid", "2", "day", "call:late"]);
  expect(rows.flatMap((row) => (row.kind === "message" ? [[row.first, row.last]] : []))).toEqual([
    [true, true],
    [true, true],
  ]);
  expect(makeRows(messages, null, true, calls).map((row) => row.kind)).toEqual(["start", "day", "call", "day", "message", "call", "message", "day", "call"]);
  expect(makeRows([], null, true, calls)).toHaveLength(6);
  expect(makeRows([], null, false, calls)).toEqual([]);
});

test("ten thousand messages and fifty calls are arranged within a frame or two", () => {
  const start = Date.parse("2026-01-05T10:00:00Z");
  const messages = Array.from({ length: 10_000 }, (_, at) => message(String(at), new Date(start + at * 60_000).toISOString()));
  const calls = Array.from({ length: 50 }, (_, at) => recent(String(at), new Date(start + at * 7_200_000).toISOString()));
  makeRows(messages, null, true, calls);
  const from = performance.now();
  const rows = makeRows(messages, "9000", true, calls);
  expect(rows.length).toBeGreaterThan(10_050);
  expect(performance.now() - from).toBeLessThan(100);
});

test("web addresses become links without the full stop after them", () => {
  expect(withLinks("see https://example.com/a?b=1. And www.example.org")).toEqual([
    { text: "see " },
    { text: "https://example.com/a?b=1", link: "https://example.com/a?b=1" },
    { text: ". And " },
    { text: "www.example.org", link: "https://www.example.org" },
  ]);
  expect(withLinks("javascript:alert(1)")).toEqual([{ text: "javascript:alert(1)" }]);
});

test("a few emoji alone are told from text", () => {
  expect(isOnlyEmoji("👍🏽 🎉")).toBe(true);
  expect(isOnlyEmoji("ok 👍")).toBe(false);
});
