/** Who is in a conference. */
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { PartyFace } from "./PartyFace";
import css from "./window.module.css";
import { partyName } from "./words";

export function Members({ call }: { call: Call }) {
  const texts = useTexts();
  return (
    <ul className={css.members} aria-label={texts.t("call.members")}>
      {call.members.map((member, at) => (
        <li key={member.person || member.number || at}>
          <PartyFace party={member} size={28} />
          <bdi>{partyName(texts, member)}</bdi>
        </li>
      ))}
    </ul>
  );
}
