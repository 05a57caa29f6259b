/** A state in words beside its badge: the word in the state's colour, then time and status message. */
import { useTexts } from "../texts/texts";
import type { Presence } from "../wire";
import css from "./presence.module.css";
import { presenceTime, showName } from "./presenceWords";
import { useMinute } from "./useMinute";

export function PresenceWords({ presence, status = true }: { presence: Presence; status?: boolean }) {
  const texts = useTexts();
  const minute = useMinute();
  const time = presenceTime(texts, presence, minute);
  return (
    <span className={css.words}>
      <b className={css[presence.show]}>{showName(texts, presence.show)}</b>
      {time && (presence.show === "offline" ? ` · ${time}` : ` ${time}`)}
      {status && presence.status && presence.status !== showName(texts, presence.show) && (
        <>
          {" · "}
          <bdi>{presence.status}</bdi>
        </>
      )}
    </span>
  );
}
