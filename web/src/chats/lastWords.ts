/** What was in the composer when the page went: its socket closes before the engine could be told. For this tab only. */
const KEY = "ringback.last-words";

export function keepLastWords(conversation: string, text: string): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([conversation, text]));
  } catch {
    // Without storage only the words of the last moment are lost.
  }
}

/** Those words; null where the page was left in another conversation. Asking changes nothing: a view may be drawn twice. */
export function lastWords(conversation: string): string | null {
  try {
    const [left, text] = JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as [string?, string?];
    return left === conversation ? (text ?? null) : null;
  } catch {
    return null;
  }
}

/** They are in the composer again. */
export function forgetLastWords(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Without storage there is nothing to forget.
  }
}
