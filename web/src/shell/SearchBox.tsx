/** Search and call: one field for a number, people and rooms; own contacts in the frame of the key press, the directory below. */
import { Call20Filled, Dialpad20Regular, Search20Regular } from "@fluentui/react-icons";
import type { KeyboardEvent } from "react";
import { useEffect, useMemo, useRef, useState } from "react";

import { looksDialable, planWords, usePlan } from "../calls/usePlan";
import { useCanCall, useConversations, useEngine, useFeatures, usePeople } from "../engine/hooks";
import { go } from "../engine/place";
import { Avatar, RoomTile } from "../parts/Avatar";
import { usePhone } from "../parts/useMedia";
import { useTexts } from "../texts/texts";
import type { SearchResults } from "../wire";
import { PresenceWords } from "../parts/PresenceWords";
import type { Found } from "./find";
import { arrange, findOwn } from "./find";
import { Marked } from "./Marked";
import css from "./search.module.css";

type Row = Found | { kind: "call" };

export function SearchBox() {
  const texts = useTexts();
  const { t, number, reason } = texts;
  const engine = useEngine();
  const people = usePeople();
  const conversations = useConversations();
  const phone = usePhone();
  const canCall = useCanCall();
  const features = useFeatures();
  const [query, setQuery] = useState("");
  const [open, setOpen] = useState(false);
  const [answer, setAnswer] = useState<SearchResults | null>(null);
  const [unanswered, setUnanswered] = useState(false);
  const [active, setActive] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const wanted = query.trim();
  const shown = open && wanted.length > 0;

  useEffect(() => {
    setAnswer(null);
    setUnanswered(false);
    if (!wanted) return undefined;
    let current = true;
    const timer = window.setTimeout(() => {
      engine.people.search(wanted).then(
        (results) => current && setAnswer(results),
        () => current && setUnanswered(true),
      );
    }, 80);
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [engine, wanted]);

  const own = useMemo(() => findOwn(wanted, people, conversations), [wanted, people, conversations]);
  const found = useMemo(() => arrange(own, answer), [own, answer]);
  const plan = usePlan(wanted);
  const dialable = canCall && looksDialable(wanted);
  const first = dialable ? 1 : 0;
  const rows: Row[] = [...(dialable ? [{ kind: "call" } as const] : []), ...found.people, ...found.rooms];
  const label = t(features?.calls ? "search.andCall" : "search");
  const problem = unanswered || (answer && answer.total === null);

  const leave = () => {
    setOpen(false);
    setQuery("");
    field.current?.blur();
  };
  const call = (row: Row | undefined) => {
    const to = !row || row.kind === "room" ? "" : row.kind === "call" ? wanted : row.person.id;
    if (!to || !canCall) return;
    leave();
    void engine.phone.start(to);
  };
  const choose = (row: Row | undefined, chat: boolean) => {
    if (!row) return;
    if (row.kind === "call") {
      call(row);
      return;
    }
    leave();
    if (row.kind === "room") go("chats", row.conversation.id);
    else if (chat) void engine.openChat(row.person.id).then((conversation) => go("chats", conversation.id));
    else go("contacts", row.person.id);
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Escape") leave();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      setOpen(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive((at) => (rows.length ? (at + step + rows.length) % rows.length : 0));
    } else if (event.key === "Enter" && shown && (event.ctrlKey || event.metaKey)) call(rows[active]);
    else if (event.key === "Enter" && shown) choose(rows[active], !event.shiftKey);
    else return;
    event.preventDefault();
  };
  const rowId = (row: Row) => `found-${row.kind}-${row.kind === "room" ? row.conversation.id : row.kind === "call" ? "" : row.person.id}`;
  const activeRow = rows[active];

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
          aria-activedescendant={shown && activeRow ? rowId(activeRow) : undefined}
          aria-label={label}
          placeholder={phone ? t("search.short") : label}
          autoComplete="off"
          spellCheck={false}
          value={query}
          onChange={(event) => {
            setQuery(event.target.value);
            setOpen(true);
            setActive(0);
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
      <div className={css.found} hidden={!shown}>
        <div id="search-found" role="listbox" aria-label={t("search.results")} className={css.rows}>
          {dialable && (
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- keys are handled in the field
            <div
              id={rowId({ kind: "call" })}
              role="option"
              tabIndex={-1}
              aria-selected={active === 0}
              className={css.row}
              data-emergency={plan?.emergency || undefined}
              onMouseMove={() => setActive(0)}
              onClick={() => call({ kind: "call" })}
            >
              <span className={css.callTile}>
                <Call20Filled aria-hidden />
              </span>
              <span className={css.text}>
                <b>{t("call.number", { number: plan?.shown || wanted })}</b>
                <small>{planWords(texts, wanted, plan)}</small>
              </span>
            </div>
          )}
          {found.people.length > 0 && (
            <div role="group" aria-label={t("search.people")}>
              <div className={css.title} aria-hidden>
                {t("search.people")}
                <span>
                  {typeof answer?.total === "number"
                    ? t("search.count", { shown: found.people.length, total: number(answer.total) })
                    : t("search.countOwn", { shown: found.people.length })}
                </span>
              </div>
              {found.people.map((row, at) => (
                // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- keys are handled in the field
                <div
                  key={row.person.id}
                  id={rowId(row)}
                  role="option"
                  tabIndex={-1}
                  aria-selected={first + at === active}
                  className={css.row}
                  onMouseMove={() => setActive(first + at)}
                  onClick={() => choose(row, true)}
                >
                  <Avatar person={row.person} size={36} presence={row.person.presence} />
                  <span className={css.text}>
                    <span>
                      <Marked text={row.person.name} query={wanted} />
                      <small>
                        <PresenceWords presence={row.person.presence} status={false} />
                      </small>
                    </span>
                    <small>{[row.person.title, row.person.department, row.person.numbers[0]?.shown].filter(Boolean).join(" · ") || row.person.id}</small>
                  </span>
                </div>
              ))}
            </div>
          )}
          {found.rooms.length > 0 && (
            <div role="group" aria-label={t("search.rooms")}>
              <div className={css.title} aria-hidden>
                {t("search.rooms")}
              </div>
              {found.rooms.map((row, at) => (
                // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- keys are handled in the field
                <div
                  key={row.conversation.id}
                  id={rowId(row)}
                  role="option"
                  tabIndex={-1}
                  aria-selected={first + found.people.length + at === active}
                  className={css.row}
                  onMouseMove={() => setActive(first + found.people.length + at)}
                  onClick={() => choose(row, true)}
                >
                  <RoomTile id={row.conversation.id} size={36} />
                  <span className={css.text}>
                    <Marked text={row.conversation.title} query={wanted} />
                    <small>{t("room.people", { count: row.conversation.members.length })}</small>
                  </span>
                </div>
              ))}
            </div>
          )}
        </div>
        {!rows.length && (answer || unanswered) && <p className={css.none}>{t(problem ? "search.noneOwn" : "search.none", { query: wanted })}</p>}
        {problem && rows.length > 0 && <p className={css.none}>{answer?.problem ? reason(answer.problem) : t("search.noDirectory")}</p>}
        <div className={css.help} aria-hidden>
          <span>
            <kbd>↑</kbd> <kbd>↓</kbd> {t("search.help.choose")}
          </span>
          <span>
            <kbd>Enter</kbd> {t(activeRow?.kind === "call" ? "search.help.call" : "search.help.chat")}
          </span>
          {activeRow?.kind !== "call" && (
            <span>
              <kbd>Shift Enter</kbd> {t("search.help.card")}
            </span>
          )}
          {canCall && activeRow?.kind !== "call" && (
            <span>
              <kbd>Ctrl Enter</kbd> {t("search.help.call")}
            </span>
          )}
        </div>
        <div className="sr-only" aria-live="polite">
          {shown && answer ? t("search.announce", { count: rows.length }) : ""}
        </div>
      </div>
    </div>
  );
}
