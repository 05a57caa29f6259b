/** The places, for ever few. What a person does not have is absent. */
import {
  bundleIcon,
  Call24Filled,
  Call24Regular,
  Chat24Filled,
  Chat24Regular,
  People24Filled,
  People24Regular,
  Settings24Filled,
  Settings24Regular,
  Voicemail24Filled,
  Voicemail24Regular,
} from "@fluentui/react-icons";
import type { MouseEvent } from "react";

import { useConversations, useFeatures, useHasVoicemail, useMailbox, useSoftphone } from "../engine/hooks";
import type { Place, PlaceName } from "../engine/place";
import { go, placePath } from "../engine/place";
import type { MessageId } from "../texts/catalogue";
import { useTexts } from "../texts/texts";
import css from "./rail.module.css";

const icons = {
  contacts: bundleIcon(People24Filled, People24Regular),
  chats: bundleIcon(Chat24Filled, Chat24Regular),
  calls: bundleIcon(Call24Filled, Call24Regular),
  voicemail: bundleIcon(Voicemail24Filled, Voicemail24Regular),
  settings: bundleIcon(Settings24Filled, Settings24Regular),
};

export function Rail({ place }: { place: Place }) {
  const { t } = useTexts();
  const features = useFeatures();
  const unread = useConversations().filter((chat) => chat.unread > 0 && !chat.muted).length;
  const missed = useSoftphone()?.missed ?? 0;
  const unheard = useMailbox()?.new ?? 0;
  const voicemail = useHasVoicemail();
  const counts: Partial<Record<PlaceName, readonly [number, MessageId]>> = { chats: [unread, "rail.unread"], calls: [missed, "rail.missed"], voicemail: [unheard, "rail.voicemail"] };
  const names: PlaceName[] = ["settings"];
  if (voicemail) names.unshift("voicemail");
  if (features?.calls) names.unshift("calls");
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
        const [count, words] = counts[name] ?? [0, "rail.unread"];
        return (
          <a
            key={name}
            href={placePath(name)}
            onClick={open(name)}
            aria-current={current ? "page" : undefined}
            aria-label={count ? t(words, { place: t(`place.${name}`), count }) : undefined}
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
