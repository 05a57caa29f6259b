/** A small choice of emoji, found by name. A later chunk. */
import { Input } from "@fluentui/react-input";
import { useState } from "react";

import { useTexts } from "../texts/texts";
import css from "./chats.module.css";
import { emojiGroups } from "./emoji";

export default function EmojiPicker({ onPick }: { onPick: (emoji: string) => void }) {
  const { t } = useTexts();
  const [query, setQuery] = useState("");
  const wanted = query.trim().toLowerCase();
  return (
    <div className={css.picker}>
      <Input value={query} onChange={(_, data) => setQuery(data.value)} placeholder={t("emoji.find")} aria-label={t("emoji.find")} />
      <div className={css.pickerScroll}>
        {emojiGroups.map((group) => {
          const found = group.emoji.filter(([, names]) => names.includes(wanted));
          if (!found.length) return null;
          return (
            <section key={group.title} aria-label={t(group.title)}>
              <h3>{t(group.title)}</h3>
              <div>
                {found.map(([symbol, names]) => (
                  <button key={symbol} type="button" aria-label={names} title={names} onClick={() => onPick(symbol)}>
                    {symbol}
                  </button>
                ))}
              </div>
            </section>
          );
        })}
      </div>
    </div>
  );
}
