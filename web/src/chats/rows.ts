/** What a conversation shows, line by line: pure, so that grouping and separators can be tested without a browser. */
import type { Message, Recent } from "../wire";

export type Row =
  | { kind: "start"; key: string }
  | { kind: "day"; key: string; at: string }
  | { kind: "unread"; key: string; count: number }
  | { kind: "events"; key: string; messages: readonly Message[] }
  | { kind: "call"; key: string; recent: Recent }
  | { kind: "message"; key: string; message: Message; first: boolean; last: boolean };

const TOGETHER = 5 * 60_000;

const dayOf = (at: string) => {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
};

/** Whether a message continues the group of the one before: same person, within five minutes. */
function continues(before: Message | undefined, message: Message): boolean {
  return (
    before !== undefined &&
    before.kind === "text" &&
    before.sender === message.sender &&
    before.own === message.own &&
    Date.parse(message.at) - Date.parse(before.at) < TOGETHER
  );
}

/** Past calls that belong among these messages: none older than the oldest one, unless that is the very first. */
function among(recents: readonly Recent[], messages: readonly Message[], complete: boolean): Recent[] {
  const oldest = messages[0];
  const from = complete ? -Infinity : oldest ? Date.parse(oldest.at) : Infinity;
  return recents.filter((recent) => Date.parse(recent.at) >= from).sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

export function makeRows(messages: readonly Message[], unreadFrom: string | null, complete: boolean, recents: readonly Recent[] = []): Row[] {
  const calls = among(recents, messages, complete);
  const rows: Row[] = complete && messages.length ? [{ kind: "start", key: "start" }] : [];
  const unreadAt = unreadFrom === null ? -1 : messages.findIndex((message) => message.id === unreadFrom);
  let lastDay = "";
  const openDay = (at: string): boolean => {
    const day = dayOf(at);
    if (day === lastDay) return false;
    lastDay = day;
    rows.push({ kind: "day", key: `day:${day}`, at });
    return true;
  };
  const putCall = (recent: Recent) => {
    openDay(recent.at);
    rows.push({ kind: "call", key: `call:${recent.id}`, recent });
  };
  let call = 0;
  messages.forEach((message, at) => {
    for (let next = calls[call]; next && Date.parse(next.at) < Date.parse(message.at); next = calls[++call]) putCall(next);
    const newDay = openDay(message.at);
    if (at === unreadAt) {
      const count = messages.slice(at).filter((later) => !later.own && later.kind === "text").length;
      rows.push({ kind: "unread", key: "unread", count });
    }
    const previous = rows.at(-1);
    const broken = newDay || at === unreadAt || previous?.kind === "call";
    if (message.kind === "event") {
      // Consecutive joining, leaving and renaming fold into one quiet line.
      if (!broken && previous?.kind === "events") rows[rows.length - 1] = { ...previous, messages: [...previous.messages, message] };
      else rows.push({ kind: "events", key: `events:${message.id}`, messages: [message] });
      return;
    }
    const first = broken || !continues(messages[at - 1], message);
    if (!first && previous?.kind === "message") rows[rows.length - 1] = { ...previous, last: false };
    rows.push({ kind: "message", key: message.id, message, first, last: true });
  });
  for (const next of calls.slice(call)) putCall(next);
  return rows;
}

export interface Piece {
  text: string;
  link?: string;
}

const LINK = /\b(?:https?:\/\/|www\.)[^\s<>"']+[^\s<>"'.,;:!?)\]}]/giu;

/** A body in pieces, its web addresses as links. Only http and https become links. */
export function withLinks(body: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of body.matchAll(LINK)) {
    if (match.index > from) pieces.push({ text: body.slice(from, match.index) });
    const text = match[0];
    pieces.push({ text, link: text.startsWith("www.") || text.startsWith("WWW.") ? `https://${text}` : text });
    from = match.index + text.length;
  }
  if (from < body.length) pieces.push({ text: body.slice(from) });
  return pieces;
}

/** Nothing but a few emoji: shown larger. */
export const isOnlyEmoji = (body: string): boolean =>
  /^(?:\p{Extended_Pictographic}(?:️|‍\p{Extended_Pictographic}|\p{Emoji_Modifier})*\s*){1,3}$/u.test(body);
