/** Somebody found: what matched in bold, presence in words, and from which company, where it is another one. */
import { Globe16Regular } from "@fluentui/react-icons";

import { useMe, usePerson } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { PresenceWords } from "../parts/PresenceWords";
import { presenceOf } from "../people/presenceOf";
import { useTexts } from "../texts/texts";
import type { FoundPerson, Person } from "../wire";
import { Marked } from "./Marked";
import css from "./search.module.css";

const domainOf = (address: string) => address.split("@")[1] ?? "";

/** Said of people whose chat address is not of one's own company. */
function useElsewhere(person: Person): string {
  const { t } = useTexts();
  const own = domainOf(useMe()?.id ?? "");
  const domain = domainOf(person.chat);
  if (!domain || !own || domain === own) return "";
  return person.company || t("search.otherCompany");
}

/** What helps to tell people of one name apart; what was found is among it. */
function facts({ person, matched, value }: FoundPerson): string[] {
  const number = person.numbers[0]?.shown ?? "";
  const found = { nickname: person.full_name, company: person.company, name: "", title: "", department: "", elsewhere: "", number: value, mail: value, address: value }[matched];
  const all = [person.title, person.department || person.location, found, matched === "number" ? "" : number];
  return [...new Set(all.filter((fact) => fact && fact !== person.name))];
}

export function PersonRow({ row, query }: { row: FoundPerson; query: string }) {
  const person = usePerson(row.person.id) ?? row.person;
  const elsewhere = useElsewhere(person);
  const presence = presenceOf(person);
  const lines = facts({ ...row, person });
  return (
    <>
      <Avatar person={person} size={36} presence={presence} plain />
      <span className={css.text}>
        <span>
          <Marked text={person.name} query={query} />
          {presence && (
            <small>
              <PresenceWords presence={presence} status={false} />
            </small>
          )}
        </span>
        <small>
          {lines.length
            ? lines.map((line, at) => (
                <span key={line}>
                  {at > 0 && " · "}
                  <Marked text={line} query={query} />
                </span>
              ))
            : person.chat || person.mail}
        </small>
      </span>
      {elsewhere && (
        <span className={css.chip}>
          <Globe16Regular aria-hidden />
          <bdi>{elsewhere}</bdi>
        </span>
      )}
    </>
  );
}
