/** Who is at the other end: a known person's photo and presence, a name's letters, or a tile for a bare number. */
import { Call20Regular, PeopleTeam20Regular } from "@fluentui/react-icons";

import { usePerson } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { presenceOf } from "../people/presenceOf";
import { useTexts } from "../texts/texts";
import type { Party } from "../wire";
import css from "./calls.module.css";
import { partyName } from "./words";

interface Props {
  party: Party;
  size?: number;
  conference?: boolean;
  presence?: boolean;
}

export function PartyFace({ party, size = 40, conference = false, presence = false }: Props) {
  const texts = useTexts();
  const person = usePerson(party.person);
  if (conference) return <Tile size={size} icon={<PeopleTeam20Regular aria-hidden />} />;
  if (person) return <Avatar person={person} size={size} presence={presence ? presenceOf(person) : null} />;
  if (party.name) return <Avatar person={{ id: party.person || party.uri || party.number, name: partyName(texts, party) }} size={size} plain={!party.person} />;
  return <Tile size={size} icon={<Call20Regular aria-hidden />} />;
}

function Tile({ size, icon }: { size: number; icon: React.ReactElement }) {
  return (
    <span className={css.tile} style={{ inlineSize: size, blockSize: size, fontSize: size / 2 }}>
      {icon}
    </span>
  );
}
