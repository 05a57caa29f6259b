/** What was in the composer when the page went: its socket closes before the engine could be told. For this tab only. */
const KEY = "ringback.last-words";

export function keepLastWords(conversation: string, text: string): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([conversation, text]));
  } catch {
    // Without storage only the words of the last moment are lost.
  }
}

/** Those words, once; null where the page was left in another conversation. */
export function takeLastWords(conversation: string): string | null {
  try {
    const [left, text] = JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as [string?, string?];
    sessionStorage.removeItem(KEY);
    return left === conversation ? (text ?? null) : null;
  } catch {
    return null;
  }
}
