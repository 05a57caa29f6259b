import type { Person, Presence } from "../wire";

/** Presence is told of chat addresses only: of somebody known by a number nothing is unknown, there is none. */
export const presenceOf = (person: Person): Presence | null => (person.chat ? person.presence : null);
