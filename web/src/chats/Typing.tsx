/** Who is typing: a row of fixed height, so that nothing jumps; it is not announced. */
import { useEngine } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import { useChatTitle } from "./useChatTitle";
import type { Conversation } from "../wire";
import css from "./chats.module.css";

export function Typing({ conversation }: { conversation: Conversation }) {
  const { t, list } = useTexts();
  const { store } = useEngine();
  const title = useChatTitle(conversation);
  const nameOf = (id: string) =>
    (id === conversation.id ? title : undefined) ??
    store.state.people.get(id)?.name ?? conversation.members.find((member) => member.id === id)?.name ?? id.split("@")[0] ?? id;
  const { typing } = conversation;
  return (
    <div className={css.typing} data-testid="typing">
      {typing.length > 0 && (
        <>
          <span className={css.dots} aria-hidden>
            <i />
            <i />
            <i />
          </span>
          {typing.length > 2
            ? t("typing.many", { count: typing.length })
            : t("typing.names", { names: list(typing.map((id) => nameOf(id).split(" ")[0] ?? id)), count: typing.length })}
        </>
      )}
    </div>
  );
}
