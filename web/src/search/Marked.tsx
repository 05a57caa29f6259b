import { matchIn } from "./own";
import css from "./search.module.css";

/** A text with the parts that match a search in bold. */
export function Marked({ text, query }: { text: string; query: string }) {
  return (
    <bdi className={css.name}>
      {matchIn(text, query).map((part, at) => (part.match ? <b key={at}>{part.text}</b> : part.text))}
    </bdi>
  );
}
