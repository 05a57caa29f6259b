/** Numbers and addresses of a person, each to be copied, the numbers to be called. */
import { Alert20Regular, Call20Regular, Chat20Regular, Copy20Regular, Home20Regular, Mail20Regular, Phone20Regular, Print20Regular } from "@fluentui/react-icons";
import type { ReactElement, ReactNode } from "react";

import { useEngine } from "../engine/hooks";
import { IconButton } from "../parts/IconButton";
import { useCopy } from "../parts/useCopy";
import { useDialling } from "../people/useDialling";
import { useTexts } from "../texts/texts";
import type { Number as PhoneNumber, Person } from "../wire";
import css from "./contacts.module.css";

const icons: Record<PhoneNumber["kind"], ReactElement> = {
  work: <Call20Regular aria-hidden />,
  mobile: <Phone20Regular aria-hidden />,
  home: <Home20Regular aria-hidden />,
  other: <Call20Regular aria-hidden />,
  pager: <Alert20Regular aria-hidden />,
  fax: <Print20Regular aria-hidden />,
};

function Line({ icon, value, kind, children }: { icon: ReactElement; value: string; kind: string; children?: ReactNode }) {
  const { t } = useTexts();
  const copy = useCopy();
  return (
    <li>
      {icon}
      <div>
        <bdi dir="ltr" className={css.value}>
          {value}
        </bdi>
        <small>{kind}</small>
      </div>
      <span className={css.lineTools}>
        {children}
        <IconButton icon={<Copy20Regular />} label={t("copyValue", { value })} onClick={() => copy(value)} />
      </span>
    </li>
  );
}

export function NumberList({ person }: { person: Person }) {
  const { t } = useTexts();
  const engine = useEngine();
  const { can, marks } = useDialling();
  return (
    <ul className={css.facts}>
      {person.numbers.map((number) => (
        <Line key={`${number.kind}${number.value}`} icon={icons[number.kind]} value={number.shown || number.value} kind={t(`number.${number.kind}`)}>
          {can && number.kind !== "fax" && (
            <button type="button" {...marks} className={css.lineCall} aria-label={t("call.number", { number: number.shown || number.value })} onClick={() => void engine.phone.start(number.value)}>
              {t("call.call")}
            </button>
          )}
        </Line>
      ))}
      {[...new Set([person.mail, ...person.mails])].filter(Boolean).map((mail) => (
        <Line key={mail} icon={<Mail20Regular aria-hidden />} value={mail} kind={t("contact.mail")}>
          <a className={css.lineCall} href={`mailto:${mail}`} aria-label={t("search.writeTo", { address: mail })}>
            {t("contact.mailTo")}
          </a>
        </Line>
      ))}
      {person.chat && <Line icon={<Chat20Regular aria-hidden />} value={person.chat} kind={t("contact.address")} />}
    </ul>
  );
}
