/** A person's photo or initials, or a group's tile, with the presence badge in the corner. */
import { PeopleTeam20Regular } from "@fluentui/react-icons";
import { useState } from "react";

import { useTexts } from "../texts/texts";
import type { Presence } from "../wire";
import css from "./avatar.module.css";
import { initials, toneOf } from "./faces";
import { PresenceBadge } from "./PresenceBadge";
import { presenceSentence } from "./presenceWords";

interface Shown {
  id: string;
  name: string;
  photo?: string;
}

export interface AvatarProps {
  person: Shown;
  size?: number;
  presence?: Presence | null;
  /** Name the badge for screen readers, where no words stand beside it. */
  named?: boolean;
  /** It is part of a card already: none opens over it. */
  plain?: boolean;
}

/** The pixels that a picture of this size has on this screen. */
const pixels = (size: number) => Math.ceil(size * Math.max(1, window.devicePixelRatio));

export function Avatar({ person, size = 40, presence, named = false, plain = false }: AvatarProps) {
  const texts = useTexts();
  const [broken, setBroken] = useState("");
  const [loaded, setLoaded] = useState("");
  const photo = person.photo && person.photo !== broken ? person.photo : "";
  const badge = size >= 64 ? 20 : size >= 32 ? 13 : 11;
  return (
    <span className={css.avatar} style={{ inlineSize: size, blockSize: size, fontSize: Math.round(size * 0.38) }} data-tone={toneOf(person.id)} data-person={plain ? undefined : person.id}>
      {/* The letters stand until the picture is there: nothing is empty, and nothing flickers. */}
      {!(photo && loaded === photo) && <span aria-hidden>{initials(person.name)}</span>}
      {photo && (
        <img
          src={`/api/photo/${encodeURIComponent(person.id)}?v=${encodeURIComponent(photo)}&size=${pixels(size)}`}
          alt=""
          width={size}
          height={size}
          loading="lazy"
          onLoad={() => setLoaded(photo)}
          onError={() => setBroken(photo)}
        />
      )}
      {presence && (
        <span className={css.badge} data-large={size >= 64 || undefined}>
          <PresenceBadge show={presence.show} size={badge} {...(named ? { label: presenceSentence(texts, presence) } : {})} />
        </span>
      )}
    </span>
  );
}

export function RoomTile({ id, size = 40 }: { id: string; size?: number }) {
  return (
    <span className={css.avatar} data-room data-tone={toneOf(id)} style={{ inlineSize: size, blockSize: size }}>
      <PeopleTeam20Regular aria-hidden />
    </span>
  );
}
