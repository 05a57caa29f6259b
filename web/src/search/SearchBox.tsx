/** Search and call: one field for a number, people and rooms; own contacts in the frame of the key press, directories below. */
import { Dialpad20Regular, Search20Regular } from "@fluentui/react-icons";
import type { KeyboardEvent } from "react";
import { lazy, Suspense, useRef, useState } from "react";

import { useEngine, useFeatures } from "../engine/hooks";
import { go } from "../engine/place";
import { usePhone } from "../parts/useMedia";
import { useDialling } from "../people/useDialling";
import { canChat } from "../people/useWays";
import { useTexts } from "../texts/texts";
import type { Choice } from "./choices";
import { Found } from "./Found";
import css from "./search.module.css";
import { useChoices } from "./useChoices";

const ContactForm = lazy(() => import("../contacts/ContactForm"));

export function SearchBox() {
  const { t } = useTexts();
  const engine = useEngine();
  const phone = usePhone();
  const dialling = useDialling();
  const features = useFeatures();
  const [query, setQuery] = useState("");
  const [open, setOpen] = useState(false);
  const [keep, setKeep] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const wanted = query.trim();
  const shown = open && wanted.length > 0;
  const { choices, active, choose: setActive, step, search, rooms, plan } = useChoices(wanted);
  const label = t(features?.calls ? "search.andCall" : "search");

  const leave = () => {
    setOpen(false);
    setQuery("");
    field.current?.blur();
  };
  const call = (choice: Choice | undefined) => {
    const to = choice?.kind === "call" ? choice.to : choice?.kind === "person" ? choice.row.person.id : "";
    if (!to || !dialling.can) return;
    leave();
    void engine.phone.start(to);
  };
  const openChat = (id: string) => void engine.openChat(id).then((conversation) => go("chats", conversation.id));
  const choose = (choice: Choice | undefined, chat = true) => {
    if (!choice) return;
    if (choice.kind === "call") call(choice);
    else if (choice.kind === "more") search.more();
    else {
      leave();
      if (choice.kind === "room") go("chats", choice.room.id);
      else if (choice.kind === "write") openChat(choice.to);
      else if (chat && features?.chats && canChat(choice.row.person)) openChat(choice.row.person.id);
      else go("contacts", choice.row.person.id);
    }
  };
  /** From the field to the actions of the chosen row. */
  const toTools = (): boolean => {
    const first = box.current?.querySelector<HTMLElement>("[role='toolbar'] button");
    first?.focus();
    return Boolean(first);
  };
  const key = (event: KeyboardEvent) => {
    const control = event.ctrlKey || event.metaKey;
    if (event.key === "Escape") leave();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      setOpen(true);
      step(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && shown && control) call(active);
    else if (event.key === "Enter" && shown) choose(active, !event.shiftKey);
    else if (event.key === "Tab" && shown && !event.shiftKey && toTools()) event.stopPropagation();
    else return;
    event.preventDefault();
  };

  return (
    <div
      className={css.box}
      ref={box}
      onBlur={(event) => {
        if (!box.current?.contains(event.relatedTarget)) setOpen(false);
      }}
    >
      <div className={css.field} data-open={shown || undefined}>
        <Search20Regular aria-hidden />
        <input
          ref={field}
          id="search"
          type="text"
          role="combobox"
          aria-expanded={shown}
          aria-controls="search-found"
          aria-autocomplete="list"
          aria-activedescendant={shown && active ? `found-${active.id}` : undefined}
          aria-label={label}
          placeholder={phone ? t("search.short") : label}
          autoComplete="off"
          spellCheck={false}
          value={query}
          onChange={(event) => {
            setQuery(event.target.value);
            setOpen(true);
          }}
          onFocus={() => setOpen(true)}
          onKeyDown={key}
        />
        {!phone && <kbd aria-hidden>Ctrl K</kbd>}
        {features?.calls && (
          <button type="button" className={css.keypad} aria-label={t("dial.title")} title={t("dial.title")} onClick={() => go("calls", "dial")}>
            <Dialpad20Regular aria-hidden />
          </button>
        )}
      </div>
      <Found
        shown={shown}
        query={wanted}
        {...{ choices, active, search, rooms, plan, dialling }}
        onActive={setActive}
        onChoose={choose}
        onLeave={leave}
        onBack={() => field.current?.focus()}
        onKeep={(number) => {
          leave();
          setKeep(number);
        }}
      />
      <Suspense fallback={null}>{keep && <ContactForm start={{ number: keep }} onClose={() => setKeep("")} />}</Suspense>
    </div>
  );
}
