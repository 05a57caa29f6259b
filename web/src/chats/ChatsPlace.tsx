/** Chats: the list, and the conversation that is open. */
import { Button } from "@fluentui/react-button";
import { Chat24Regular } from "@fluentui/react-icons";
import { useEffect, useState } from "react";

import { useConversation, useEngine, useLink, useMe, usePerson } from "../engine/hooks";
import { setPreferences, usePreferences } from "../engine/prefs";
import { Empty } from "../parts/Empty";
import { useWide } from "../parts/useMedia";
import { Panes } from "../shell/Panes";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import { ChatDetail } from "./ChatDetail";
import { ChatList } from "./ChatList";
import { ConversationPane } from "./ConversationPane";

interface Props {
  id: string | null;
  onNewChat: () => void;
}

export function ChatsPlace({ id, onNewChat }: Props) {
  const { t } = useTexts();
  const engine = useEngine();
  const link = useLink();
  const conversation = useConversation(id ?? "");
  const person = usePerson(id ?? "");
  const me = useMe();
  // A link to a contact or colleague whose chat was closed, or never begun, opens it.
  const colleague = id !== null && id.includes("@") && id.split("@")[1] === me?.id.split("@")[1];
  const begin = link.open && !conversation && (person || colleague) ? id : null;
  useEffect(() => {
    if (begin) engine.openChat(begin).catch(() => undefined);
  }, [engine, begin]);
  const wide = useWide();
  const { detail: kept } = usePreferences();
  const [opened, setOpened] = useState(false);
  // On a wide screen the pane is part of the window and the choice is kept; else it lies over the conversation.
  const detail = Boolean(conversation) && (wide ? kept : opened);
  const setDetail = (open: boolean) => (wide ? setPreferences({ detail: open }) : setOpened(open));
  return (
    <Panes
      list={<ChatList open={id} onNewChat={onNewChat} />}
      main={
        conversation ? (
          <ConversationPane key={conversation.id} conversation={conversation} detail={detail} onDetail={setDetail} />
        ) : (
          <main className={shell.main} id="main" tabIndex={-1} data-pane="main">
            <Empty
              icon={<Chat24Regular />}
              title={t(id ? "chats.gone" : "chats.choose")}
              help={t("chats.choose.help")}
              action={
                <Button appearance="primary" onClick={onNewChat}>
                  {t("newChat")}
                </Button>
              }
            />
          </main>
        )
      }
      detail={detail && conversation ? <ChatDetail conversation={conversation} onClose={() => setDetail(false)} /> : undefined}
    />
  );
}
