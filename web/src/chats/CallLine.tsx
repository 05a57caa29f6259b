/** A past call in the time line of its conversation: what came of it, how it was heard, its story, and calling back. */
import type { MouseEvent } from "react";

import { glyphOf } from "../calls/glyphs";
import { resultOf, wordOf } from "../calls/words";
import { useEngine } from "../engine/hooks";
import { go, placePath } from "../engine/place";
import { useDialling } from "../people/useDialling";
import { useTexts } from "../texts/texts";
import type { Recent } from "../wire";
import css from "./chats.module.css";

interface Props {
  recent: Recent;
  place: { role: "listitem"; "aria-setsize": number; "aria-posinset": number };
  index: number;
  stop: boolean;
  onFocus: (index: number) => void;
}

export function CallLine({ recent, place, index, stop, onFocus }: Props) {
  const texts = useTexts();
  const { t, clock, moment } = texts;
  const { phone } = useEngine();
  const { can, marks } = useDialling();
  const bad = recent.result === "answered" && (recent.word === "fair" || recent.word === "poor");
  const words = [t(recent.video ? "chat.call.video" : "chat.call"), resultOf(texts, recent, 1), bad ? wordOf(texts, recent.word) : ""].filter(Boolean).join(" · ");
  const to = recent.party.number || recent.party.uri || recent.party.person;
  const open = (event: MouseEvent) => {
    event.preventDefault();
    go("calls", recent.id);
  };
  return (
    <div {...place} className={css.call} data-result={recent.result}>
      <span aria-hidden>{glyphOf(recent)}</span>
      <a
        href={placePath("calls", recent.id)}
        onClick={open}
        data-row={index}
        tabIndex={stop ? 0 : -1}
        onFocus={() => onFocus(index)}
        aria-label={[words, moment(recent.at)].join(", ")}
      >
        {words}
      </a>
      <time dateTime={recent.at} title={moment(recent.at)}>
        {clock(recent.at)}
      </time>
      {can && to && (
        <button type="button" {...marks} tabIndex={stop ? 0 : -1} onClick={() => void phone.start(to, recent.video)}>
          {t(recent.direction === "in" ? "call.back" : "call.again")}
        </button>
      )}
    </div>
  );
}
