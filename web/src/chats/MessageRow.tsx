/** One line of a conversation. */
import { CheckmarkCircle16Regular, Checkmark16Regular, Clock16Regular, ErrorCircle16Filled, Eye16Regular } from "@fluentui/react-icons";
import { memo } from "react";

import { useEngine, useOnline, usePerson } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import type { Texts } from "../texts/texts";
import { useTexts } from "../texts/texts";
import type { Message } from "../wire";
import { CallLine } from "./CallLine";
import css from "./chats.module.css";
import type { Row } from "./rows";
import { isOnlyEmoji, withLinks } from "./rows";

interface Props {
  row: Row;
  index: number;
  total: number;
  /** The one row that Tab reaches. */
  stop: boolean;
  room: boolean;
  /** In a chat of two the name of the other, which the directory may have told since; else empty. */
  partner: string;
  onFocus: (index: number) => void;
}

function Face({ message, name }: { message: Message; name: string }) {
  const person = usePerson(message.sender);
  return <Avatar person={person ?? { id: message.sender, name }} size={36} presence={person?.presence} named />;
}

export function stateWords(texts: Texts, message: Message, room: boolean, open: boolean): string {
  const { t } = texts;
  if (message.state === "sending") return t(open ? "state.sending" : "state.waits");
  if (message.state === "read" && room && message.read_by.length) return t("state.readBy", { count: message.read_by.length });
  return t(`state.${message.state}`);
}

const glyphs: Partial<Record<Message["state"], React.ReactNode>> = {
  sending: <Clock16Regular aria-hidden />,
  sent: <Checkmark16Regular aria-hidden />,
  delivered: <CheckmarkCircle16Regular aria-hidden />,
  read: <Eye16Regular aria-hidden />,
};

function OwnState({ message, room }: { message: Message; room: boolean }) {
  const texts = useTexts();
  const { store } = useEngine();
  const online = useOnline();
  const names = message.read_by.map((id) => store.state.people.get(id)?.name ?? id);
  return (
    <span className={css.state} title={names.length ? texts.list(names) : undefined} data-state={message.state}>
      {glyphs[message.state]}
      {stateWords(texts, message, room, online)}
    </span>
  );
}

function Failure({ message }: { message: Message }) {
  const { t, reason } = useTexts();
  const engine = useEngine();
  return (
    <div className={css.failure}>
      <ErrorCircle16Filled aria-hidden />
      <span>{reason(message.failure) || t("state.failed")}</span>
      <button type="button" onClick={() => void engine.retryMessage(message.conversation, message.id)}>
        {t("tryAgain")}
      </button>
      <button type="button" onClick={() => void engine.removeMessage(message.conversation, message.id)}>
        {t("remove")}
      </button>
    </div>
  );
}

function Body({ body }: { body: string }) {
  if (isOnlyEmoji(body)) return <span className={css.emoji}>{body}</span>;
  return (
    <>
      {withLinks(body).map((piece, at) =>
        piece.link ? (
          <a key={at} href={piece.link} target="_blank" rel="noreferrer noopener">
            {piece.text}
          </a>
        ) : (
          piece.text
        ),
      )}
    </>
  );
}

function accessibleName(texts: Texts, message: Message, who: string, room: boolean): string {
  const state = message.own ? stateWords(texts, message, room, true) : "";
  return [who, texts.moment(message.at), message.body, state].filter(Boolean).join(", ");
}

export const MessageRow = memo(function MessageRow({ row, index, total, stop, room, partner, onFocus }: Props) {
  const texts = useTexts();
  const { t, clock, reason, day } = texts;
  const place = { role: "listitem", "aria-setsize": total, "aria-posinset": index + 1 } as const;
  if (row.kind === "start") {
    return (
      <div {...place} className={css.start}>
        {t("history.start")}
      </div>
    );
  }
  if (row.kind === "day") {
    return (
      <div {...place} className={css.day}>
        <span>{day(row.at)}</span>
      </div>
    );
  }
  if (row.kind === "unread") {
    return (
      <div {...place} className={css.unread}>
        <span>{t("unread.line", { count: row.count })}</span>
      </div>
    );
  }
  if (row.kind === "events") {
    return (
      <div {...place} className={css.events}>
        {row.messages.map((message) => (
          <span key={message.id}>{reason(message.event)} </span>
        ))}
      </div>
    );
  }
  if (row.kind === "call") return <CallLine recent={row.recent} place={place} index={index} stop={stop} onFocus={onFocus} />;
  const { message, first, last } = row;
  const who = message.own ? t("you") : partner || message.sender_name;
  return (
    <div
      {...place}
      className={css.message}
      data-first={first || undefined}
      data-own={message.own || undefined}
      data-row={index}
      data-message={message.id}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- arrows move among messages; one of them is the tab stop
      tabIndex={stop ? 0 : -1}
      aria-label={accessibleName(texts, message, who, room)}
      onFocus={() => onFocus(index)}
    >
      <span className={css.side}>{first && !message.own ? <Face message={message} name={who} /> : !first && <time>{clock(message.at)}</time>}</span>
      <div className={css.content}>
        {first && (
          <div className={css.by}>
            <b>
              <bdi>{who}</bdi>
            </b>
            <time dateTime={message.at} title={texts.moment(message.at)}>
              {clock(message.at)}
            </time>
          </div>
        )}
        <div className={css.textLine}>
          <div className={css.text} dir="auto" data-failed={message.state === "failed" || undefined}>
            <Body body={message.body} />
          </div>
          {message.own && last && message.state !== "failed" && <OwnState message={message} room={room} />}
        </div>
        {message.state === "failed" && <Failure message={message} />}
      </div>
    </div>
  );
});
