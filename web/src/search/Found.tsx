/** What was found, as a listbox of sections under the field. */
import { Call20Filled, ChatAdd20Regular, ChevronDown20Regular } from "@fluentui/react-icons";
import type { MouseEvent, ReactNode } from "react";
import { useEffect, useLayoutEffect, useRef, useState } from "react";

import { planWords } from "../calls/usePlan";
import { useDirectories } from "../engine/hooks";
import { RoomTile } from "../parts/Avatar";
import type { Dialling } from "../people/useDialling";
import { useTexts } from "../texts/texts";
import type { Conversation, NumberPlan } from "../wire";
import type { Choice } from "./choices";
import { Marked } from "./Marked";
import { PersonRow } from "./PersonRow";
import { RowTools } from "./RowTools";
import css from "./search.module.css";
import { Status } from "./Status";
import type { Search } from "./useFindings";

interface Props {
  shown: boolean;
  query: string;
  choices: readonly Choice[];
  active: Choice | undefined;
  search: Search;
  rooms: readonly Conversation[];
  plan: NumberPlan | null;
  dialling: Dialling;
  onActive: (id: string) => void;
  onChoose: (choice: Choice) => void;
  onLeave: () => void;
  onBack: () => void;
  onKeep: (number: string) => void;
}

/** How many there are: shown, fitting, and among how many; and how long the first took. */
function useCounts(search: Search): string[] {
  const { t, number } = useTexts();
  const directories = useDirectories();
  const shown = search.people.length;
  const total = Math.max(shown, ...search.sources.map((source) => source.total ?? 0));
  const everybody = directories.reduce((sum, directory) => sum + (directory.people ?? 0), 0);
  const counted = search.complete ? t("search.count", { shown: number(shown), total: number(total) }) : number(shown);
  if (search.first === null) return [counted];
  const values = { people: number(everybody), ms: number(search.first) };
  return [counted, everybody ? t("search.from", values) : t("search.took", { ms: values.ms })];
}

/** Says what was found once it has settled, not with every step. */
function Announced({ shown, search, count }: { shown: boolean; search: Search; count: number }) {
  const { t } = useTexts();
  const failed = search.sources.some((source) => source.state === "failed") || search.unanswered;
  const words = !shown || !search.complete ? "" : t(failed ? "search.announceFailed" : "search.announce", { count });
  return (
    <div className="sr-only" role="status">
      {words}
    </div>
  );
}

/** Where the chosen row is, for the actions beside it. */
function useRowPlace(active: Choice | undefined, choices: readonly Choice[]) {
  const [place, setPlace] = useState({ top: 0, height: 0 });
  const scroll = useRef<HTMLDivElement>(null);
  const id = active?.id ?? "";
  const first = choices[0]?.id ?? "";
  useLayoutEffect(() => {
    const row = document.getElementById(`found-${id}`);
    if (row) setPlace((before) => (before.top === row.offsetTop && before.height === row.offsetHeight ? before : { top: row.offsetTop, height: row.offsetHeight }));
  }, [id, choices]);
  useEffect(() => {
    // With the first row its section's title is seen too.
    if (id === first) scroll.current?.scrollTo({ top: 0 });
    else document.getElementById(`found-${id}`)?.scrollIntoView({ block: "nearest" });
  }, [id, first]);
  return { scroll, place };
}

export function Found({ shown, query, choices, active, search, rooms, plan, dialling, onActive, onChoose, onLeave, onBack, onKeep }: Props) {
  const texts = useTexts();
  const { t } = texts;
  const [counted, took] = useCounts(search);
  const { scroll, place } = useRowPlace(active, choices);
  const pointer = useRef({ x: 0, y: 0 });
  // Rows that come or go move under a resting pointer: that is no choice.
  const move = (event: MouseEvent, id: string) => {
    const { clientX: x, clientY: y } = event;
    if (pointer.current.x === x && pointer.current.y === y) return;
    pointer.current = { x, y };
    if (id !== active?.id) onActive(id);
  };
  const option = (choice: Choice, content: ReactNode, mark = false, marks: Dialling["marks"] = {}) => (
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- keys are handled in the field
    <div
      key={choice.id}
      id={`found-${choice.id}`}
      role="option"
      tabIndex={-1}
      aria-selected={choice.id === active?.id}
      className={css.row}
      data-emergency={mark || undefined}
      {...marks}
      onMouseMove={(event) => move(event, choice.id)}
      onMouseDown={(event) => event.preventDefault()}
      onClick={() => onChoose(choice)}
    >
      {content}
    </div>
  );
  const number = search.findings?.number?.shown || plan?.shown;
  const content = (choice: Choice) => {
    switch (choice.kind) {
      case "call":
        return option(
          choice,
          <>
            <span className={css.callTile}>
              <Call20Filled aria-hidden />
            </span>
            <span className={css.text}>
              <b>{t("call.number", { number: number || choice.to })}</b>
              <small>{dialling.barred || planWords(texts, choice.to, plan)}</small>
            </span>
          </>,
          plan?.emergency,
          dialling.marks,
        );
      case "person":
        return option(choice, <PersonRow row={choice.row} query={query} />);
      case "more":
        return option(
          choice,
          <>
            <span className={css.moreTile}>
              <ChevronDown20Regular aria-hidden />
            </span>
            <span className={css.text}>{t("search.more")}</span>
          </>,
        );
      case "room":
        return option(
          choice,
          <>
            <RoomTile id={choice.room.id} size={36} />
            <span className={css.text}>
              <Marked text={choice.room.title} query={query} />
              <small>{t("room.people", { count: choice.room.members.length })}</small>
            </span>
          </>,
        );
      case "write":
        return option(
          choice,
          <>
            <span className={css.moreTile}>
              <ChatAdd20Regular aria-hidden />
            </span>
            <span className={css.text}>{t("search.writeTo", { address: choice.to })}</span>
          </>,
        );
    }
  };
  const section = (kinds: readonly Choice["kind"][]) => choices.filter((choice) => kinds.includes(choice.kind)).map(content);
  return (
    <>
      <div className={css.found} hidden={!shown}>
        <div className={css.scroll} ref={scroll}>
          <div id="search-found" role="listbox" aria-label={t("search.results")} className={css.rows}>
            {section(["call"])}
            {search.people.length > 0 && (
              <div role="group" aria-label={t("search.people")}>
                <div className={css.title} aria-hidden>
                  {t("search.people")}
                  <span title={took}>{counted}</span>
                </div>
                {section(["person", "more"])}
              </div>
            )}
            {rooms.length > 0 && (
              <div role="group" aria-label={t("search.rooms")}>
                <div className={css.title} aria-hidden>
                  {t("search.rooms")}
                </div>
                {section(["room"])}
              </div>
            )}
            {section(["write"])}
          </div>
          {shown && active && <RowTools choice={active} top={place.top} height={place.height} {...{ onLeave, onBack, onKeep }} />}
        </div>
        {shown && <Status search={search} query={query} empty={!search.people.length && !rooms.length} onLeave={onLeave} />}
        <div className={css.help} aria-hidden>
          <span>
            <kbd>↑</kbd> <kbd>↓</kbd> {t("search.help.choose")}
          </span>
          <span hidden={active?.kind === "call" && Boolean(dialling.barred)}>
            <kbd>Enter</kbd> {t(active?.kind === "call" ? "search.help.call" : "search.help.chat")}
          </span>
          {active?.kind === "person" && (
            <>
              <span>
                <kbd>Shift Enter</kbd> {t("search.help.card")}
              </span>
              {dialling.can && !dialling.barred && (
                <span>
                  <kbd>Ctrl Enter</kbd> {t("search.help.call")}
                </span>
              )}
              <span>
                <kbd>Tab</kbd> {t("search.help.tools")}
              </span>
            </>
          )}
        </div>
      </div>
      <Announced shown={shown} search={search} count={choices.filter((choice) => choice.kind === "person" || choice.kind === "room").length} />
    </>
  );
}
