/** Where somebody works, and for whom. */
import { Building20Regular, BuildingMultiple20Regular, Location20Regular, Person20Regular } from "@fluentui/react-icons";

import { useMe, usePeople } from "../engine/hooks";
import { go, placePath } from "../engine/place";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";
import css from "./contacts.module.css";

/** The manager: a known person where there is one, else as the directory names him or her. */
function useManager(person: Person): { id: string; name: string } {
  const me = useMe();
  const everybody = [...usePeople(), ...(me ? [me] : [])];
  const known = everybody.find((one) => (person.manager_id ? one.id === person.manager_id : one.id.split("@")[0] === person.manager));
  return { id: person.manager_id || (known?.id ?? ""), name: known?.name ?? person.manager };
}

export function Work({ person }: { person: Person }) {
  const { t } = useTexts();
  const manager = useManager(person);
  const facts = [
    { icon: <Building20Regular aria-hidden />, value: person.department, name: t("contact.department") },
    { icon: <BuildingMultiple20Regular aria-hidden />, value: person.company, name: t("contact.company") },
    { icon: <Location20Regular aria-hidden />, value: person.location, name: t("contact.location") },
    { icon: <Person20Regular aria-hidden />, value: manager.name, name: t("contact.manager"), id: manager.id },
  ].filter((fact) => fact.value);
  if (!facts.length) return null;
  return (
    <section className={css.box} aria-label={t("contact.work")}>
      <h3>{t("contact.work")}</h3>
      <ul className={css.facts}>
        {facts.map((fact) => (
          <li key={fact.name}>
            {fact.icon}
            <div>
              {fact.id ? (
                <a
                  href={placePath("contacts", fact.id)}
                  onClick={(event) => {
                    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                    event.preventDefault();
                    go("contacts", fact.id);
                  }}
                >
                  <bdi>{fact.value}</bdi>
                </a>
              ) : (
                <bdi>{fact.value}</bdi>
              )}
              <small>{fact.name}</small>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
