import { expect, test } from "vitest";

import type { Call, Entry, Message, Party, Phone, Quality, Recent } from "../wire";
import { apply, dropCall, emptyState, mergeMessages, noPlace } from "./state";

const message = (id: string, at: string, body = id): Message => ({
  ...{ id, at, body, conversation: "c", sender: "a@x", sender_name: "A", own: false, state: "received" },
  ...{ read_by: [], failure: null, kind: "text", event: null },
});
const entry = (answer: string): Entry => ({
  ...{ at: 0, kind: "asked", text: { id: "t", values: {} }, outcome: "ok", question: "", server: "", took: null },
  ...{ reasons: [], group: "", answer },
});

const phone: Phone = {
  ...{ state: "registered", device: "CSFANITA", number: "1001", server: "", secure: true, next_try: null, text: null, reasons: [] },
  ...{ devices: [], missed: 0, messages: 0, do_not_disturb: false, forward: "", voicemail: "", low: false },
};
const party: Party = { number: "1002", shown: "1002", name: "Bruno", uri: "", person: "", emergency: false };
const call = (id: string, callState: Call["state"]): Call => ({
  ...{ id, state: callState, party, direction: "out", line: "", device: "", here: true, members: [], conference: false, began: "", answered: null },
  ...{ held_by_other: false, muted: false, video: "none", asks_video: false, media: 0, early: false, ringing: 1, consults: "", parked: "" },
  ...{ secure: "none", legs: [], quality: {} as Quality, may: [], barred: [], note: null, why: [], low: false },
});
const recent = (id: string, at: string): Recent => ({
  ...{ id, at, party, direction: "in", result: "missed", seconds: 0, seen: false, video: false, device: "", word: "unknown", quality: null, story: [] },
});

test("a message is kept once, in the order of times, whatever way it comes", () => {
  const state = emptyState();
  mergeMessages(state, "c", [message("2", "10:02"), message("3", "10:03")], { loaded: true });
  mergeMessages(state, "c", [message("1", "10:01"), message("2", "10:02", "changed")], { complete: true });
  const thread = state.threads.get("c");
  expect(thread?.messages.map((one) => one.body)).toEqual(["1", "changed", "3"]);
  expect(thread).toMatchObject({ complete: true, loaded: true });
});

test("an entry of the trace that is told again takes its place, and the first begins anew", () => {
  const state = emptyState();
  apply(state, { event: "TraceGrew", first: 0, entries: [entry("a"), entry(""), entry("c")] });
  apply(state, { event: "TraceGrew", first: 1, entries: [entry("b")] });
  expect(state.trace.map((one) => one.answer)).toEqual(["a", "b", "c"]);
  apply(state, { event: "TraceGrew", first: 0, entries: [entry("new")] });
  expect(state.trace.map((one) => one.answer)).toEqual(["new"]);
});

test("a new connection keeps what is shown and asks for what came meanwhile", () => {
  const state = emptyState();
  mergeMessages(state, "c", [message("1", "10:01")], { loaded: true });
  const questions = { again: null, configuration: null, certificate: null };
  const features = { chats: true, contacts: true, group_chats: true, directory: true, calls: true, video: true, start_with_video: false, product_mode: "", reasons: [] };
  const lists = { people: [], groups: [], orders: {}, directories: [], conversations: [], services: [], calls: [], recents: [], voice_messages: [], mailbox: {} as never, phone, questions, account: null };
  const snapshot = { ...lists, sign_in: {} as never, me: null, account: null, place: noPlace, security: { mode: "usual" as const, reasons: [] }, features, version: "1" };
  expect(apply(state, { event: "Welcome", snapshot })).toContain("me");
  expect(state.threads.get("c")).toMatchObject({ loaded: false, messages: [{ id: "1" }] });
});

test("a call that ended is kept until its end was shown; one that went without an end is not", () => {
  const state = emptyState();
  apply(state, { event: "CallsChanged", calls: [call("1", "ringing_out"), call("2", "active")], gone: [] });
  apply(state, { event: "CallsChanged", calls: [call("1", "ended")], gone: [] });
  expect(apply(state, { event: "CallsChanged", calls: [], gone: ["1", "2"] })).toEqual(["calls", "call:1", "call:2"]);
  expect([...state.calls.keys()]).toEqual(["1"]);
  expect(dropCall(state, "1")).toEqual(["calls", "call:1"]);
  expect(dropCall(state, "1")).toEqual([]);
  apply(state, { event: "CallsChanged", calls: [call("1", "ended")], gone: [] });
  expect(state.calls.size).toBe(0);
});

test("past calls are kept once, newest first, in whatever order they come", () => {
  const state = emptyState();
  apply(state, { event: "RecentsChanged", recents: [recent("1", "2026-11-22T10:00:00Z"), recent("3", "2026-11-22T12:00:00Z")], gone: [] });
  apply(state, { event: "RecentsChanged", recents: [recent("2", "2026-11-22T11:00:00Z")], gone: ["1"] });
  expect([...state.recents.keys()]).toEqual(["3", "2"]);
});
