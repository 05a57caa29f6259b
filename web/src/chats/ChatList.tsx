/** All conversations: pinned first, then the newest; filters instead of further places. */
import { Button } from "@fluentui/react-button";
import { Chat24Regular, Compose20Regular } from "@fluentui/react-icons";
import { useMemo, useState } from "react";

import { useConversations } from "../engine/hooks";
import { Chips } from "../parts/Chips";
import { Empty } from "../parts/Empty";
import { IconButton } from "../parts/IconButton";
import { useArrowKeys } from "../parts/useArrowKeys";
import { ListPane } from "../shell/ListPane";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Conversation } from "../wire";
import { ChatRow } from "./ChatRow";
import { NotifyCard } from "./NotifyCard";
import { sortChats } from "./sortChats";

type Filter = "all" | "unread" | "mentions" | "rooms";

const passes: Record<Filter, (chat: Conversation) => boolean> = {
  all: () => true,
  unread: (chat) => chat.unread > 0,
  mentions: (chat) => chat.mentions > 0,
  rooms: (chat) => chat.kind === "room",
};

export function ChatList({ open, onNewChat }: { open: string | null; onNewChat: () => void }) {
  const { t } = useTexts();
  const chats = useConversations();
  const [filter, setFilter] = useState<Filter>("all");
  const arrows = useArrowKeys<HTMLDivElement>();
  const sorted = useMemo(() => sortChats(chats).filter((chat) => passes[filter](chat) || chat.id === open), [chats, filter, open]);
  const pinned = sorted.filter((chat) => chat.pinned);
  const recent = sorted.filter((chat) => !chat.pinned);
  const rows = (list: readonly Conversation[]) => list.map((chat) => <ChatRow key={chat.id} chat={chat} current={chat.id === open} />);
  return (
    <ListPane title="chats-title" alone={open === null}>
      <div className={shell.head}>
        <h1 id="chats-title">{t("place.chats")}</h1>
        <IconButton icon={<Compose20Regular className="flip" />} label={t("newChat")} onClick={onNewChat} />
      </div>
      <Chips
        label={t("filter")}
        chips={[
          { id: "all", text: t("chats.all") },
          { id: "unread", text: t("chats.unread"), count: chats.filter(passes.unread).length },
          { id: "mentions", text: t("chats.mentions"), count: chats.filter(passes.mentions).length },
          { id: "rooms", text: t("chats.rooms") },
        ]}
        chosen={filter}
        onChoose={setFilter}
      />
      <NotifyCard />
      <div className={shell.scroll} {...arrows}>
        {pinned.length > 0 && (
          <>
            <div className={shell.section}>{t("chats.pinned")}</div>
            {rows(pinned)}
            {recent.length > 0 && <div className={shell.section}>{t("chats.recent")}</div>}
          </>
        )}
        {rows(recent)}
        {!chats.length && (
          <Empty
            icon={<Chat24Regular />}
            title={t("chats.none")}
            help={t("chats.none.help")}
            action={
              <Button appearance="primary" onClick={onNewChat}>
                {t("findPeople")}
              </Button>
            }
          />
        )}
        {chats.length > 0 && !sorted.length && <Empty icon={<Chat24Regular />} title={t(`chats.none.${filter}`)} help={t("chats.none.filter")} />}
      </div>
    </ListPane>
  );
}
