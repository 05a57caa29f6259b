/** People who ask to see one's presence: allowed or refused here. */
import { Button } from "@fluentui/react-button";

import { useEngine } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";
import css from "./contacts.module.css";

export function Requests({ people }: { people: readonly Person[] }) {
  const { t } = useTexts();
  const engine = useEngine();
  return people
    .filter((person) => person.asks)
    .map((person) => (
      <div key={person.id} className={css.request} role="group" aria-label={t("request", { name: person.name })}>
        <Avatar person={person} size={36} />
        <div>
          <p>{t("request", { name: person.name })}</p>
          <div className={css.requestButtons}>
            <Button size="small" appearance="primary" onClick={() => void engine.people.answerRequest(person.id, true)}>
              {t("request.allow")}
            </Button>
            <Button size="small" onClick={() => void engine.people.answerRequest(person.id, false)}>
              {t("request.refuse")}
            </Button>
          </div>
        </div>
      </div>
    ));
}
