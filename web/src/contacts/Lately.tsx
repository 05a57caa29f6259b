/** What there was lately with a person: calls, and the rooms that both are in. */
import { PeopleTeam16Regular } from "@fluentui/react-icons";
import type { MouseEvent, ReactNode } from "react";

import { glyphOf } from "../calls/glyphs";
import { resultOf } from "../calls/words";
import { useEngine, useRecents } from "../engine/hooks";
import type { PlaceName } from "../engine/place";
import { go, placePath } from "../engine/place";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";
import css from "./contacts.module.css";

const MOST = 3;

function Line({ place, id, icon, children, at }: { place: PlaceName; id: string; icon: ReactNode; children: ReactNode; at?: string }) {
  const { moment } = useTexts();
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(place, id);
  };
  return (
    <li>
      {icon}
      <a href={placePath(place, id)} onClick={open}>
        {children}
      </a>
      {at && <time dateTime={at}>{moment(at)}</time>}
    </li>
  );
}

export function Lately({ person, rooms }: { person: Person; rooms: readonly string[] }) {
  const texts = useTexts();
  const { t } = texts;
  const { store } = useEngine();
  const calls = useRecents()
    .filter((recent) => recent.party.person === person.id)
    .slice(0, MOST);
  if (!calls.length && !rooms.length) return null;
  const title = t("contact.lately", { name: person.name });
  return (
    <section className={css.box} aria-label={title}>
      <h3>{title}</h3>
      <ul className={css.lately}>
        {calls.map((recent) => (
          <Line key={recent.id} place="calls" id={recent.id} icon={glyphOf(recent)} at={recent.at}>
            {resultOf(texts, recent, 1)}
          </Line>
        ))}
        {rooms.map((room) => (
          <Line key={room} place="chats" id={room} icon={<PeopleTeam16Regular aria-hidden />}>
            <bdi>{store.state.conversations.get(room)?.title ?? room}</bdi>
          </Line>
        ))}
      </ul>
    </section>
  );
}
