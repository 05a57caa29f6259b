/** The places, for ever few. What a person does not have is absent. */
import {
  bundleIcon,
  Chat24Filled,
  Chat24Regular,
  People24Filled,
  People24Regular,
  Settings24Filled,
  Settings24Regular,
} from "@fluentui/react-icons";
import type { MouseEvent } from "react";

import { useConversations, useFeatures } from "../engine/hooks";
import type { Place, PlaceName } from "../engine/place";
import { go, placePath } from "../engine/place";
import { useTexts } from "../texts/texts";
import css from "./rail.module.css";

const icons = {
  contacts: bundleIcon(People24Filled, People24Regular),
  chats: bundleIcon(Chat24Filled, Chat24Regular),
  settings: bundleIcon(Settings24Filled, Settings24Regular),
};

export function Rail({ place }: { place: Place }) {
  const { t } = useTexts();
  const features = useFeatures();
  const unread = useConversations().filter((chat) => chat.unread > 0 && !chat.muted).length;
  const names: PlaceName[] = ["settings"];
  if (features?.chats) names.unshift("chats");
  if (features?.contacts) names.unshift("contacts");
  const open = (name: PlaceName) => (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(name);
  };
  return (
    <nav className={css.rail} aria-label={t("rail")}>
      {names.map((name) => {
        const Icon = icons[name];
        const current = place.name === name;
        const count = name === "chats" ? unread : 0;
        return (
          <a
            key={name}
            href={placePath(name)}
            onClick={open(name)}
            aria-current={current ? "page" : undefined}
            aria-label={count ? t("rail.unread", { place: t(`place.${name}`), count }) : undefined}
            data-place={name}
          >
            <Icon filled={current} aria-hidden />
            <span className={css.label}>{t(`place.${name}`)}</span>
            {count > 0 && (
              <span className={css.count} aria-hidden>
                {count}
              </span>
            )}
          </a>
        );
      })}
    </nav>
  );
}
