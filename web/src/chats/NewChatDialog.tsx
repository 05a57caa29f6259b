/** A new chat: with one person, or as soon as there are several, a group chat. */
import { useEngine } from "../engine/hooks";
import { go } from "../engine/place";
import { useTexts } from "../texts/texts";
import { PeopleDialog } from "./PeopleDialog";

const nobody: readonly string[] = [];

export function NewChatDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTexts();
  const engine = useEngine();
  const start = async (people: string[], title: string) => {
    const [first] = people;
    if (first === undefined) return;
    const conversation = people.length === 1 ? await engine.openChat(first) : await engine.createRoom(title, people);
    go("chats", conversation.id);
  };
  return <PeopleDialog title={t("newChat")} action={t("newChat.start")} without={nobody} named least={1} onDone={start} onClose={onClose} />;
}
