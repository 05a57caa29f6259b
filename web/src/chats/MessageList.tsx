/** The messages, virtualised: opens at what is unread, stays at the end when there, loads upwards without a jump. */
import { Button } from "@fluentui/react-button";
import { ArrowDown16Regular, Chat24Regular } from "@fluentui/react-icons";
import type { KeyboardEvent } from "react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { VirtualizerHandle } from "virtua";
import { Virtualizer } from "virtua";

import { useEngine, useRecents } from "../engine/hooks";
import type { Thread } from "../engine/state";
import { Bones } from "../parts/Bones";
import { Empty } from "../parts/Empty";
import { useTexts } from "../texts/texts";
import type { Conversation } from "../wire";
import css from "./chats.module.css";
import { MessageRow } from "./MessageRow";
import { makeRows } from "./rows";
import { useChatTitle } from "./useChatTitle";

const NEAR_END = 48;
const NEAR_START = 400;

export function MessageList({ conversation, thread }: { conversation: Conversation; thread: Thread }) {
  const { t } = useTexts();
  const engine = useEngine();
  const title = useChatTitle(conversation);
  const list = useRef<VirtualizerHandle>(null);
  const atEnd = useRef(true);
  const placed = useRef(false);
  const firstKey = useRef<string | null>(null);
  const [awayFromEnd, setAwayFromEnd] = useState(false);
  const [focused, setFocused] = useState(-1);
  // The unread line stays where it was when the conversation was opened.
  const [unreadFrom, setUnreadFrom] = useState(conversation.unread_from);
  const recents = useRecents();
  const calls = useMemo(() => (conversation.kind === "person" ? recents.filter((recent) => recent.party.person === conversation.id) : []), [recents, conversation.kind, conversation.id]);
  const rows = useMemo(() => makeRows(thread.messages, unreadFrom, thread.complete, calls), [thread.messages, unreadFrom, thread.complete, calls]);
  const newest = thread.messages.at(-1);
  const oldest = thread.messages[0]?.id ?? null;
  const prepended = firstKey.current !== null && oldest !== firstKey.current;
  useEffect(() => {
    firstKey.current = oldest;
  }, [oldest]);

  useEffect(() => {
    if (unreadFrom === null && conversation.unread_from && !document.hasFocus()) setUnreadFrom(conversation.unread_from);
  }, [conversation.unread_from, unreadFrom]);

  useLayoutEffect(() => {
    if (!rows.length || !list.current) return;
    const unread = rows.findIndex((row) => row.kind === "unread");
    if (!placed.current && thread.loaded) {
      placed.current = true;
      if (unread >= 0) list.current.scrollToIndex(unread, { align: "start", offset: -40 });
      else list.current.scrollToIndex(rows.length - 1, { align: "end" });
    } else if (atEnd.current || newest?.state === "sending") list.current.scrollToIndex(rows.length - 1, { align: "end" });
  }, [rows, thread.loaded, newest]);

  // What is shown at the end while the person looks at it is read.
  useEffect(() => {
    const read = () => {
      if (!document.hasFocus() || document.hidden || !atEnd.current) return;
      const last = thread.messages.findLast((message) => !message.own && message.kind === "text");
      if (last && conversation.unread > 0) engine.markRead(conversation.id, last.id).catch(() => undefined);
    };
    read();
    window.addEventListener("focus", read);
    return () => window.removeEventListener("focus", read);
  }, [engine, conversation.id, conversation.unread, thread.messages, awayFromEnd]);

  const scrolled = (offset: number) => {
    const handle = list.current;
    if (!handle) return;
    atEnd.current = handle.scrollSize - offset - handle.viewportSize < NEAR_END;
    setAwayFromEnd(!atEnd.current);
    if (offset < NEAR_START && placed.current && !thread.complete) engine.loadHistory(conversation.id, true).catch(() => undefined);
  };
  const toLatest = () => list.current?.scrollToIndex(rows.length - 1, { align: "end", smooth: false });

  const focusRow = (index: number) => {
    setFocused(index);
    list.current?.scrollToIndex(index, { align: "nearest" });
    requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-row="${index}"]`)?.focus());
  };
  const isMessage = (index: number) => rows[index]?.kind === "message" || rows[index]?.kind === "call";
  const keys = (event: KeyboardEvent) => {
    const all = rows.map((_, index) => index).filter(isMessage);
    const here = all.indexOf(focused);
    const next = { ArrowUp: all[here - 1], ArrowDown: all[here + 1], Home: all[0], End: all.at(-1) }[event.key];
    if (next === undefined || event.altKey || event.ctrlKey) return;
    event.preventDefault();
    focusRow(next);
  };
  const lastMessage = rows.findLastIndex((row) => row.kind === "message" || row.kind === "call");
  const stop = isMessage(focused) ? focused : lastMessage;

  if (!rows.length) {
    return (
      <div className={css.log}>
        {thread.loaded ? (
          <Empty icon={<Chat24Regular />} title={t("conversation.empty", { name: title })} help={t("conversation.empty.help")} />
        ) : (
          <Bones rows={5} />
        )}
      </div>
    );
  }
  return (
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions -- arrows move among the messages in it
    <div className={css.log} onKeyDown={keys}>
      <div className={css.list} role="list" aria-label={t("messages")}>
        {/* It grows where there are few messages, so that they stand beside the composer. */}
        <div className={css.above} role="presentation" />
        <Virtualizer ref={list} shift={prepended} onScroll={scrolled} keepMounted={stop >= 0 ? [stop] : []}>
          {rows.map((row, index) => (
            <MessageRow
              key={row.key}
              row={row}
              index={index}
              total={rows.length}
              stop={index === stop}
              room={conversation.kind === "room"}
              partner={conversation.kind === "person" ? title : ""}
              onFocus={setFocused}
            />
          ))}
        </Virtualizer>
      </div>
      {awayFromEnd && (
        <Button className={css.latest} size="small" shape="circular" icon={<ArrowDown16Regular />} onClick={toLatest}>
          {conversation.unread > 0 ? t("jump.unread", { count: conversation.unread }) : t("jump")}
        </Button>
      )}
    </div>
  );
}
