/** Who this is, in short, wherever an avatar is seen: presence in words, and the ways to reach the person. */
import { Popover, PopoverSurface } from "@fluentui/react-popover";
import { Call20Regular, Chat20Regular, ContactCard20Regular, Mail20Regular, Video20Regular } from "@fluentui/react-icons";
import { useEffect, useState } from "react";

import { useEngine, useMe, usePerson } from "../engine/hooks";
import { go } from "../engine/place";
import { Avatar } from "../parts/Avatar";
import { PresenceWords } from "../parts/PresenceWords";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";
import css from "./hover.module.css";
import { presenceOf } from "./presenceOf";
import type { Hover } from "./useHover";
import { useHover } from "./useHover";
import { useWays } from "./useWays";

/** What is known of a person: as told by itself, else as asked for now. */
function useAsked(id: string): Person | null {
  const engine = useEngine();
  const known = usePerson(id);
  const [asked, setAsked] = useState<Person | null>(null);
  const missing = known === undefined;
  useEffect(() => {
    if (!missing) return undefined;
    let current = true;
    // Nobody can tell: no card, and the row says what is known.
    engine.people.card(id).then((card) => current && setAsked(card.person), () => undefined);
    return () => {
      current = false;
    };
  }, [engine, id, missing]);
  return known ?? asked;
}

function Actions({ person, onDone }: { person: Person; onDone: () => void }) {
  const { t } = useTexts();
  const ways = useWays(person);
  const then = (act: () => void) => () => {
    onDone();
    act();
  };
  return (
    <div className={css.actions}>
      {ways.chat && (
        <button type="button" onClick={then(ways.chat)}>
          <Chat20Regular aria-hidden />
          {t("contact.chat")}
        </button>
      )}
      {ways.call && (
        <button type="button" onClick={then(ways.call)} {...ways.marks}>
          <Call20Regular aria-hidden />
          {t("call.call")}
        </button>
      )}
      {ways.video && (
        <button type="button" onClick={then(ways.video)} {...ways.marks}>
          <Video20Regular aria-hidden />
          {t("call.video")}
        </button>
      )}
      {ways.mail && (
        <a href={`mailto:${ways.mail}`} onClick={onDone}>
          <Mail20Regular aria-hidden />
          {t("contact.mailTo")}
        </a>
      )}
      <button type="button" onClick={then(() => go("contacts", person.id))}>
        <ContactCard20Regular aria-hidden />
        {t("contact.card")}
      </button>
    </div>
  );
}

function Card({ hover, onClose }: { hover: Hover; onClose: () => void }) {
  const person = useAsked(hover.id);
  const me = useMe();
  if (!person || person.id === me?.id) return null;
  const work = [person.title, person.department].filter(Boolean).join(" · ");
  const number = person.numbers[0];
  const presence = presenceOf(person);
  return (
    <Popover
      open
      unstable_disableAutoFocus={hover.by === "pointer"}
      onOpenChange={(_, data) => !data.open && onClose()}
      positioning={{ target: hover.anchor, position: "below", align: "start", offset: 6 }}
    >
      <PopoverSurface className={css.card} data-person-card role="dialog" aria-label={person.name}>
        <div className={css.who}>
          <Avatar person={person} size={48} presence={presence} plain />
          <div>
            <b>
              <bdi>{person.name}</bdi>
            </b>
            {work && <small>{work}</small>}
            {presence && (
              <small>
                <PresenceWords presence={presence} />
              </small>
            )}
            {number && (
              <small>
                <bdi dir="ltr">{number.shown || number.value}</bdi>
              </small>
            )}
          </div>
        </div>
        <Actions person={person} onDone={onClose} />
      </PopoverSurface>
    </Popover>
  );
}

export function HoverCards() {
  const { hover, close } = useHover();
  return hover && <Card key={hover.id} hover={hover} onClose={close} />;
}
