const TONES = 8;

/** At most two letters: the first of the first and of the last word. Of an address what stands before the @: everybody
 * of a company has the same domain. */
export function initials(name: string): string {
  const words = name.replace(/(?<=\S)@\S*$/u, "").split(/[\s@.]+/u).filter((word) => /\p{L}|\p{N}/u.test(word));
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => Array.from(word ?? "")[0] ?? "").join("").toLocaleUpperCase();
}

/** One of the avatar's tones, the same for the same id always. */
export function toneOf(id: string): number {
  let hash = 7;
  for (const letter of id) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 100_003;
  return hash % TONES;
}
