/** An open conversation: header, messages, who is typing, composer. */
import { ArrowLeft20Regular, Call20Regular, LockClosed16Regular, LockOpen16Regular, PanelRight20Regular, PeopleAdd20Regular, Video20Regular } from "@fluentui/react-icons";
import { useEffect, useState } from "react";

import { useEngine, useFeatures, useLink, usePerson, useThread } from "../engine/hooks";
import { go } from "../engine/place";
import { Avatar, RoomTile } from "../parts/Avatar";
import { IconButton } from "../parts/IconButton";
import { Notice } from "../parts/Notice";
import { PresenceWords } from "../parts/PresenceWords";
import { useNarrow } from "../parts/useMedia";
import { useDialling } from "../people/useDialling";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Conversation } from "../wire";
import { ChatMenu } from "./ChatRow";
import css from "./chats.module.css";
import { Composer } from "./Composer";
import { MessageList } from "./MessageList";
import { PeopleDialog } from "./PeopleDialog";
import { Typing } from "./Typing";
import { useChatTitle } from "./useChatTitle";

interface Props {
  conversation: Conversation;
  detail: boolean;
  onDetail: (open: boolean) => void;
}

function WhoReads({ conversation }: { conversation: Conversation }) {
  const { t } = useTexts();
  const none = conversation.encrypted === "none";
  return (
    <span className={css.reads} data-none={none || undefined}>
      {none ? <LockOpen16Regular aria-hidden /> : <LockClosed16Regular aria-hidden />}
      {t(none ? "reads.none" : "reads.server")}
    </span>
  );
}

function Header({ conversation, detail, onDetail }: Props) {
  const { t } = useTexts();
  const narrow = useNarrow();
  const engine = useEngine();
  const person = usePerson(conversation.id);
  const title = useChatTitle(conversation);
  const [adding, setAdding] = useState(false);
  const room = conversation.kind === "room";
  const here = conversation.members.filter((member) => member.here).length;
  const { can, barred } = useDialling();
  const calls = can && !room;
  const features = useFeatures();
  const add = async (people: string[], name: string) => {
    if (room) await engine.inviteToRoom(conversation.id, people);
    else go("chats", (await engine.createRoom(name, [conversation.id, ...people])).id);
  };
  return (
    <div className={css.header}>
      {narrow && <IconButton icon={<ArrowLeft20Regular className="flip" />} label={t("back")} onClick={() => go("chats")} />}
      {room ? <RoomTile id={conversation.id} /> : <Avatar person={person ?? { id: conversation.id, name: title }} presence={person?.presence} />}
      <div className={css.about}>
        <h2>
          <bdi>{title}</bdi>
        </h2>
        <div>
          {room ? <span>{t("room.summary", { count: conversation.members.length, here })}</span> : person && <PresenceWords presence={person.presence} />}
          <WhoReads conversation={conversation} />
        </div>
      </div>
      {calls && <IconButton icon={<Call20Regular />} label={t("call.call")} barred={barred} onClick={() => void engine.phone.start(conversation.id)} />}
      {calls && features?.video && <IconButton icon={<Video20Regular />} label={t("call.video.long")} barred={barred} onClick={() => void engine.phone.start(conversation.id, true)} />}
      <IconButton icon={<PeopleAdd20Regular />} label={t(room ? "room.invite" : "room.addPeople")} onClick={() => setAdding(true)} />
      <IconButton
        icon={<PanelRight20Regular className="flip" />}
        label={t(room ? "room.about" : "contact.show")}
        pressed={detail}
        onClick={() => onDetail(!detail)}
      />
      <ChatMenu chat={conversation} />
      {adding && (
        <PeopleDialog
          title={t(room ? "room.invite" : "room.addPeople")}
          action={t(room ? "room.inviteAction" : "room.create")}
          without={room ? conversation.members.map((member) => member.id) : [conversation.id]}
          named={!room}
          least={1}
          onDone={add}
          onClose={() => setAdding(false)}
        />
      )}
    </div>
  );
}

export function ConversationPane({ conversation, detail, onDetail }: Props) {
  const { t, refused } = useTexts();
  const engine = useEngine();
  const link = useLink();
  const thread = useThread(conversation.id);
  const [failed, setFailed] = useState<string | null>(null);
  const { id } = conversation;
  const title = useChatTitle(conversation);
  useEffect(() => {
    if (!link.open || thread.loaded) return;
    setFailed(null);
    engine.loadHistory(id, false).catch((error: unknown) => setFailed(refused(error)));
  }, [engine, id, link.open, thread.loaded, refused]);
  return (
    <main className={shell.main} id="main" tabIndex={-1} data-pane="main" aria-label={t("conversation.with", { name: title })}>
      <Header conversation={conversation} detail={detail} onDetail={onDetail} />
      {failed && !thread.loaded && <Notice kind="warning" title={t("history.failed")} text={failed} />}
      <MessageList conversation={conversation} thread={thread} />
      <Typing conversation={conversation} />
      <Composer conversation={conversation} />
    </main>
  );
}
