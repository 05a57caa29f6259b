/** Where one writes: it grows, keeps a draft for each conversation, and tells others that one is typing. */
import { Button } from "@fluentui/react-button";
import { Emoji20Regular, Send20Filled, Send20Regular } from "@fluentui/react-icons";
import { Popover, PopoverSurface, PopoverTrigger } from "@fluentui/react-popover";
import { Spinner } from "@fluentui/react-spinner";
import type { KeyboardEvent } from "react";
import { lazy, Suspense, useEffect, useLayoutEffect, useRef, useState } from "react";

import { useEngine, useOnline } from "../engine/hooks";
import { usePreferences } from "../engine/prefs";
import { IconButton } from "../parts/IconButton";
import { usePhone } from "../parts/useMedia";
import { useTexts } from "../texts/texts";
import type { Conversation } from "../wire";
import css from "./chats.module.css";
import { forgetLastWords, keepLastWords, lastWords } from "./lastWords";
import { useChatTitle } from "./useChatTitle";

const EmojiPicker = lazy(() => import("./EmojiPicker"));

const PAUSE = 4000;
const KEEP_DRAFT = 300;

/** Tell once that typing began, and that it paused. */
function useTypingNotice(conversation: string) {
  const engine = useEngine();
  const typing = useRef(false);
  const timer = useRef(0);
  // Nobody misses a typing notice that could not be sent.
  const tell = (now: boolean) => {
    if (typing.current !== now) engine.setTyping(conversation, now).catch(() => undefined);
    typing.current = now;
  };
  const pause = () => {
    window.clearTimeout(timer.current);
    tell(false);
  };
  const typed = () => {
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => tell(false), PAUSE);
    tell(true);
  };
  const latest = useRef(pause);
  useEffect(() => {
    latest.current = pause;
  });
  useEffect(() => () => latest.current(), []);
  return { typed, pause };
}

function useDraft(conversation: Conversation) {
  const engine = useEngine();
  const [text, setText] = useState(() => lastWords(conversation.id) ?? conversation.draft);
  const kept = useRef(conversation.draft);
  const current = useRef(text);
  const { id } = conversation;
  useEffect(forgetLastWords, []);
  useEffect(() => {
    current.current = text;
    if (text === kept.current) return undefined;
    const timer = window.setTimeout(() => {
      kept.current = text;
      engine.setConversation(id, { draft: text }).catch(() => undefined);
    }, KEEP_DRAFT);
    return () => window.clearTimeout(timer);
  }, [engine, id, text]);
  useEffect(() => {
    const keep = () => {
      if (current.current === kept.current) return;
      kept.current = current.current;
      engine.setConversation(id, { draft: current.current }).catch(() => undefined);
    };
    // Going to another chat, and reloading the page, must not lose the last words.
    const leave = () => keepLastWords(id, current.current);
    window.addEventListener("pagehide", leave);
    return () => {
      window.removeEventListener("pagehide", leave);
      keep();
    };
  }, [engine, id]);
  return [text, setText] as const;
}

export function Composer({ conversation }: { conversation: Conversation }) {
  const { t, refused } = useTexts();
  const engine = useEngine();
  const online = useOnline();
  const phone = usePhone();
  const title = useChatTitle(conversation);
  const { enterSends } = usePreferences();
  const [text, setText] = useDraft(conversation);
  const [emoji, setEmoji] = useState(false);
  const [problem, setProblem] = useState("");
  const { typed, pause } = useTypingNotice(conversation.id);
  const field = useRef<HTMLTextAreaElement>(null);
  const ready = text.trim().length > 0;

  useEffect(() => {
    // A window that grows becomes one with a keyboard; a dialog that is open keeps the focus.
    if (!phone && !document.querySelector("[role='dialog'], [role='alertdialog']")) field.current?.focus({ preventScroll: true });
  }, [phone]);
  useLayoutEffect(() => {
    const area = field.current;
    if (!area) return;
    area.style.blockSize = "auto";
    area.style.blockSize = `${area.scrollHeight}px`;
  }, [text]);

  const send = () => {
    if (!ready) return;
    setProblem("");
    pause();
    engine.sendMessage(conversation.id, text.trim()).catch((error: unknown) => setProblem(refused(error)));
    setText("");
  };
  const key = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.nativeEvent.isComposing) return;
    const sends = enterSends ? !event.shiftKey : event.ctrlKey || event.metaKey;
    if (!sends) return;
    event.preventDefault();
    send();
  };
  const insert = (symbol: string) => {
    const area = field.current;
    const at = area?.selectionStart ?? text.length;
    setText(text.slice(0, at) + symbol + text.slice(area?.selectionEnd ?? at));
    setEmoji(false);
    requestAnimationFrame(() => {
      area?.focus();
      area?.setSelectionRange(at + symbol.length, at + symbol.length);
    });
  };
  if (conversation.kind === "room" && !conversation.joined) return <p className={css.notJoined}>{t("room.left")}</p>;
  return (
    <div className={css.composer}>
      {problem && (
        <p role="alert" className={css.problem}>
          {problem}
        </p>
      )}
      <textarea
        id="composer"
        ref={field}
        rows={1}
        dir={text ? "auto" : undefined}
        value={text}
        maxLength={20_000}
        placeholder={online ? t("composer.to", { name: title }) : t("composer.offline")}
        aria-label={t("composer.to", { name: title })}
        onChange={(event) => {
          setText(event.target.value);
          if (event.target.value) typed();
          else pause();
        }}
        onKeyDown={key}
      />
      <div className={css.bar}>
        <Popover open={emoji} onOpenChange={(_, data) => setEmoji(data.open)} positioning="above-start" trapFocus>
          <PopoverTrigger disableButtonEnhancement>
            <Button appearance="subtle" icon={<Emoji20Regular />} aria-label={t("emoji")} title={t("emoji")} />
          </PopoverTrigger>
          <PopoverSurface className={css.emojiSurface} aria-label={t("emoji")}>
            <Suspense fallback={<Spinner size="tiny" />}>
              <EmojiPicker onPick={insert} />
            </Suspense>
          </PopoverSurface>
        </Popover>
        <span className={css.gap} />
        <IconButton
          icon={ready ? <Send20Filled className="flip" /> : <Send20Regular className="flip" />}
          label={t("send")}
          appearance={ready ? "primary" : "subtle"}
          disabled={!ready}
          onClick={send}
          className={css.send}
        />
      </div>
    </div>
  );
}
