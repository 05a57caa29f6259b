import type { Conversation } from "../wire";

/** Pinned first, then the newest; a chat without a message by its name at the end. */
export function sortChats(chats: readonly Conversation[]): Conversation[] {
  const at = (chat: Conversation) => chat.last?.at ?? "";
  return [...chats].sort(
    (a, b) =>
      Number(b.pinned) - Number(a.pinned) || (at(a) < at(b) ? 1 : at(a) > at(b) ? -1 : 0) || a.title.localeCompare(b.title),
  );
}
