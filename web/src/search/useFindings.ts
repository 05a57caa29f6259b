/** A search as one types: own contacts in the frame of the key press, the directories' people as they answer. */
import { useCallback, useEffect, useId, useMemo, useRef, useState, useSyncExternalStore } from "react";

import { useEngine, useLink, useMe, usePeople } from "../engine/hooks";
import type { Findings, FoundPerson, SourceStep } from "../wire";
import { ownPeople } from "./own";
import type { Listed } from "./rows";
import { listPeople, nothing } from "./rows";

/** Keys that follow each other faster are one question. */
const PAUSE = 40;
const TAB = crypto.randomUUID();

export interface Search {
  /** In the order to show; what is shown already keeps its place. */
  people: readonly FoundPerson[];
  findings: Findings | null;
  sources: readonly SourceStep[];
  /** Nobody is being asked any more. */
  complete: boolean;
  /** The engine itself did not answer. */
  unanswered: boolean;
  more: () => void;
  /** Milliseconds from the key press to the first people that a directory or the cache gave; null: not yet. */
  first: number | null;
}

function useStored(search: string): Findings | null {
  const { store } = useEngine();
  const subscribe = useCallback((listener: () => void) => store.subscribe(`findings:${search}`, listener), [store, search]);
  return useSyncExternalStore(subscribe, () => store.state.findings.get(search) ?? null);
}

export function useFindings(query: string, page = 20): Search {
  const engine = useEngine();
  const me = useMe();
  const people = usePeople();
  const search = `${TAB}${useId()}`;
  const stored = useStored(search);
  // The engine that comes back is asked again.
  const online = useLink().open;
  const findings = stored?.query === query ? stored : null;
  const [unanswered, setUnanswered] = useState(false);
  const [limit, setLimit] = useState(page);
  const [first, setFirst] = useState<number | null>(null);
  const typed = useRef(0);
  const sent = useRef(0);

  useEffect(() => {
    setUnanswered(false);
    setFirst(null);
    setLimit(page);
    if (!query) return undefined;
    let current = true;
    typed.current = performance.now();
    const wait = Math.max(0, sent.current + PAUSE - typed.current);
    const timer = window.setTimeout(() => {
      sent.current = performance.now();
      engine.people.find(search, query, page).catch(() => current && setUnanswered(true));
    }, wait);
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [engine, search, query, page, online]);

  // Where nobody looks any more, directories need not go on.
  const idle = !query;
  useEffect(() => {
    if (idle) return undefined;
    return () => void engine.people.stop(search).catch(() => undefined);
  }, [engine, search, idle]);

  const before = useRef<Listed>(nothing);
  const complete = (findings?.complete ?? false) || unanswered;
  const listed = useMemo(() => {
    if (!query) return nothing;
    const found = (findings?.people ?? []).filter(({ person }) => person.id !== me?.id);
    return listPeople(before.current, query, ownPeople(query, people), found, complete);
  }, [query, people, findings, complete, me]);
  const answered = Boolean(findings?.people.length);
  useEffect(() => {
    before.current = listed;
    if (!answered || !typed.current) return;
    setFirst(Math.round(performance.now() - typed.current));
    performance.measure("search.first", { start: typed.current, end: performance.now() });
    typed.current = 0;
  }, [listed, answered]);

  const more = useCallback(() => {
    const next = limit + page;
    setLimit(next);
    engine.people.findMore(search, next).catch(() => setUnanswered(true));
  }, [engine, search, limit, page]);

  return { people: listed.people, findings, sources: findings?.sources ?? [], complete, unanswered, more, first };
}
