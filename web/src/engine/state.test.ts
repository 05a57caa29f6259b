import { expect, test } from "vitest";

import type { Entry, Message } from "../wire";
import { apply, emptyState, mergeMessages } from "./state";

const message = (id: string, at: string, body = id): Message => ({
  ...{ id, at, body, conversation: "c", sender: "a@x", sender_name: "A", own: false, state: "received" },
  ...{ read_by: [], failure: null, kind: "text", event: null },
});
const entry = (answer: string): Entry => ({
  ...{ at: 0, kind: "asked", text: { id: "t", values: {} }, outcome: "ok", question: "", server: "", took: null },
  ...{ reasons: [], group: "", answer },
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
  const features = { chats: true, contacts: true, group_chats: true, directory: true, product_mode: "", reasons: [] };
  const lists = { people: [], groups: [], conversations: [], services: [] };
  const snapshot = { ...lists, sign_in: {} as never, me: null, features, version: "1" };
  expect(apply(state, { event: "Welcome", snapshot })).toContain("me");
  expect(state.threads.get("c")).toMatchObject({ loaded: false, messages: [{ id: "1" }] });
});
