/** A conversation in the list: who, the last words or the draft, when, and how many are unread. */
import { AlertOff16Regular, MoreHorizontal20Regular, Pin16Regular } from "@fluentui/react-icons";
import { Menu, MenuItem, MenuList, MenuPopover, MenuTrigger } from "@fluentui/react-menu";
import type { MouseEvent } from "react";
import { memo, useState } from "react";

import { useEngine, usePerson } from "../engine/hooks";
import { go, placePath } from "../engine/place";
import { Avatar, RoomTile } from "../parts/Avatar";
import { presenceSentence } from "../parts/presenceWords";
import { useDialling } from "../people/useDialling";
import shell from "../shell/shell.module.css";
import type { Texts } from "../texts/texts";
import { useTexts } from "../texts/texts";
import type { Conversation } from "../wire";
import { useChatTitle } from "./useChatTitle";

function preview(texts: Texts, chat: Conversation): string {
  const { t, reason } = texts;
  const { last } = chat;
  if (chat.typing.length) return t("typing.short");
  if (!last) return chat.kind === "room" ? t("room.people", { count: chat.members.length }) : t("chats.noMessage");
  if (last.kind === "event") return reason(last.event);
  if (last.own) return t("chats.you", { text: last.body });
  return chat.kind === "room" ? t("chats.somebody", { name: last.sender_name, text: last.body }) : last.body;
}

function label(texts: Texts, chat: Conversation, title: string, presence: string): string {
  const unread = chat.unread ? texts.t("chats.unreadCount", { count: chat.unread }) : "";
  const draft = chat.draft ? texts.t("chats.draft", { text: chat.draft }) : "";
  return [title, presence, unread, draft || preview(texts, chat), chat.last && texts.moment(chat.last.at)].filter(Boolean).join(", ");
}

function Actions({ chat }: { chat: Conversation }) {
  const { t } = useTexts();
  const engine = useEngine();
  const set = (change: Parameters<typeof engine.setConversation>[1]) => void engine.setConversation(chat.id, change);
  const { can, marks } = useDialling();
  return (
    <MenuPopover>
      <MenuList>
        {can && chat.kind === "person" && <MenuItem {...marks} onClick={() => void engine.phone.start(chat.id)}>{t("call.call")}</MenuItem>}
        <MenuItem onClick={() => set({ pinned: !chat.pinned })}>{t(chat.pinned ? "chats.unpin" : "chats.pin")}</MenuItem>
        <MenuItem onClick={() => set({ muted: !chat.muted })}>{t(chat.muted ? "chats.unmute" : "chats.mute")}</MenuItem>
        {chat.kind === "person" && <MenuItem onClick={() => go("contacts", chat.id)}>{t("contact.show")}</MenuItem>}
        <MenuItem onClick={() => set({ closed: true })}>{t("chats.close")}</MenuItem>
      </MenuList>
    </MenuPopover>
  );
}

export const ChatRow = memo(function ChatRow({ chat, current }: { chat: Conversation; current: boolean }) {
  const texts = useTexts();
  const { t } = texts;
  const person = usePerson(chat.id);
  const title = useChatTitle(chat);
  const [menu, setMenu] = useState(false);
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go("chats", chat.id);
  };
  return (
    <Menu open={menu} onOpenChange={(_, data) => setMenu(data.open)} openOnContext>
      <MenuTrigger disableButtonEnhancement>
        <a
          href={placePath("chats", chat.id)}
          className={shell.row}
          aria-current={current || undefined}
          aria-label={label(texts, chat, title, person ? presenceSentence(texts, person.presence) : "")}
          data-unread={chat.unread > 0 || undefined}
          onClick={open}
        >
          {chat.kind === "room" ? <RoomTile id={chat.id} /> : <Avatar person={person ?? { id: chat.id, name: title }} presence={person?.presence} />}
          <span className={shell.lines}>
            <span className={shell.name}>
              <bdi>{title}</bdi>
              {chat.muted && <AlertOff16Regular aria-hidden />}
              {chat.pinned && <Pin16Regular aria-hidden />}
            </span>
            <span className={shell.second}>
              {chat.draft && !current ? (
                <>
                  <span className={shell.draft}>{t("chats.draftWord")}&nbsp;</span>
                  <span dir="auto">{chat.draft}</span>
                </>
              ) : (
                <span dir="auto">{preview(texts, chat)}</span>
              )}
            </span>
          </span>
          <span className={shell.ends}>
            {chat.last && <time dateTime={chat.last.at}>{texts.short(chat.last.at)}</time>}
            {chat.unread > 0 && (
              <span className={shell.count} data-mention={chat.mentions > 0 || undefined}>
                {chat.mentions > 0 ? `@ ${chat.mentions}` : chat.unread}
              </span>
            )}
          </span>
        </a>
      </MenuTrigger>
      <Actions chat={chat} />
    </Menu>
  );
});

/** The same actions behind a button, for the header of the open conversation. */
export function ChatMenu({ chat, children }: { chat: Conversation; children?: React.ReactNode }) {
  const { t } = useTexts();
  const engine = useEngine();
  const set = (change: Parameters<typeof engine.setConversation>[1]) => void engine.setConversation(chat.id, change);
  return (
    <Menu positioning="below-end">
      <MenuTrigger disableButtonEnhancement>
        <button type="button" className={shell.more} aria-label={t("more")}>
          <MoreHorizontal20Regular aria-hidden />
        </button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {children}
          <MenuItem onClick={() => set({ pinned: !chat.pinned })}>{t(chat.pinned ? "chats.unpin" : "chats.pin")}</MenuItem>
          <MenuItem onClick={() => set({ muted: !chat.muted })}>{t(chat.muted ? "chats.unmute" : "chats.mute")}</MenuItem>
          <MenuItem
            onClick={() => {
              set({ closed: true });
              go("chats");
            }}
          >
            {t("chats.close")}
          </MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}
