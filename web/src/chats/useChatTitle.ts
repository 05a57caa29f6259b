import { usePerson } from "../engine/hooks";
import type { Conversation } from "../wire";

/** The name of a conversation: of a person by the contact list, of a group by its title. */
export function useChatTitle(chat: Conversation): string {
  const person = usePerson(chat.id);
  return (chat.kind === "person" ? person?.name : "") || chat.title || chat.id;
}
