/** The list of past calls: filtered, found, by day, and what came again and again folded into one line. Pure. */
import type { Party, Recent } from "../wire";

export type RecentFilter = "all" | "missed" | "received" | "made";

/** Calls of one line: the newest first. */
export interface Fold {
  newest: Recent;
  times: number;
  unseen: boolean;
}

export interface Day {
  at: string;
  folds: Fold[];
}

const passes: Record<RecentFilter, (recent: Recent) => boolean> = {
  all: () => true,
  missed: (recent) => recent.result === "missed",
  received: (recent) => recent.direction === "in" && recent.result === "answered",
  made: (recent) => recent.direction === "out",
};

const plain = (text: string) => text.normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();
const digits = (text: string) => text.replace(/\D/gu, "");
const dayOf = (at: string) => new Date(at).toDateString();
/** The same other side, however its name was known then. */
export const partyKey = (party: Party): string => party.person || digits(party.number) || party.uri || party.name;

function found(recent: Recent, query: string): boolean {
  if (!query) return true;
  const { name, uri, shown, number } = recent.party;
  const wanted = digits(query);
  return plain(`${name} ${uri}`).includes(plain(query)) || (wanted.length > 1 && digits(`${number} ${shown}`).includes(wanted));
}

export function foldRecents(recents: readonly Recent[], filter: RecentFilter, query = ""): Day[] {
  const days: Day[] = [];
  for (const recent of recents) {
    if (!passes[filter](recent) || !found(recent, query.trim())) continue;
    let day = days.at(-1);
    if (!day || dayOf(day.at) !== dayOf(recent.at)) {
      day = { at: recent.at, folds: [] };
      days.push(day);
    }
    const last = day.folds.at(-1);
    const again =
      last !== undefined &&
      recent.result !== "answered" &&
      last.newest.result === recent.result &&
      last.newest.direction === recent.direction &&
      partyKey(last.newest.party) === partyKey(recent.party);
    const unseen = recent.result === "missed" && !recent.seen;
    if (again) {
      last.times += 1;
      last.unseen ||= unseen;
    } else day.folds.push({ newest: recent, times: 1, unseen });
  }
  return days;
}
