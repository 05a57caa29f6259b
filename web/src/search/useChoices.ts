/** What the search field offers for a text, and which of it is chosen: by its name, so that what comes later moves nothing. */
import { useMemo, useState } from "react";

import { looksDialable, usePlan } from "../calls/usePlan";
import { useCanCall, useConversations, useFeatures } from "../engine/hooks";
import type { Conversation, NumberPlan } from "../wire";
import type { Choice } from "./choices";
import { choicesOf, stepFrom } from "./choices";
import { ownRooms } from "./own";
import type { Search } from "./useFindings";
import { useFindings } from "./useFindings";

interface Choices {
  choices: readonly Choice[];
  active: Choice | undefined;
  choose: (id: string) => void;
  step: (by: number) => void;
  search: Search;
  rooms: readonly Conversation[];
  plan: NumberPlan | null;
}

export function useChoices(query: string): Choices {
  const search = useFindings(query);
  const conversations = useConversations();
  const canCall = useCanCall();
  const features = useFeatures();
  const plan = usePlan(query);
  const [chosen, setChosen] = useState({ query: "", id: "" });
  const rooms = useMemo(() => {
    const here = ownRooms(query, conversations);
    const ids = new Set(here.map((room) => room.id));
    return [...here, ...(search.findings?.rooms ?? []).filter((room) => !ids.has(room.id))];
  }, [query, conversations, search.findings]);
  const dialable = canCall && (looksDialable(query) || Boolean(search.findings?.number));
  const choices = choicesOf({
    ...{ dialable, query, rooms, people: search.people, complete: search.complete },
    ...{ more: search.findings?.more ?? false, chats: features?.chats ?? false },
  });
  // Another text begins at its first row; the same text keeps the row, wherever others come.
  const active = choices.find((choice) => chosen.query === query && choice.id === chosen.id) ?? choices[0];
  const choose = (id: string) => setChosen({ query, id });
  const step = (by: number) => choose(stepFrom(choices, active?.id ?? "", by));
  return { choices, active, choose, step, search, rooms, plan };
}
