/** Numbers and addresses of a person, each to be copied, the numbers to be called. */
import { Alert20Regular, Call20Regular, Chat20Regular, Copy20Regular, Home20Regular, Mail20Regular, Phone20Regular, Print20Regular } from "@fluentui/react-icons";
import type { ReactElement } from "react";

import { useCanCall, useEngine } from "../engine/hooks";
import { IconButton } from "../parts/IconButton";
import { useCopy } from "../parts/useCopy";
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

function Line({ icon, value, kind, onCall }: { icon: ReactElement; value: string; kind: string; onCall?: () => void }) {
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
        {onCall && <IconButton icon={<Call20Regular />} label={t("call.number", { number: value })} onClick={onCall} />}
        <IconButton icon={<Copy20Regular />} label={t("copyValue", { value })} onClick={() => copy(value)} />
      </span>
    </li>
  );
}

export function NumberList({ person }: { person: Person }) {
  const { t } = useTexts();
  const engine = useEngine();
  const calls = useCanCall();
  return (
    <ul className={css.facts}>
      {person.numbers.map((number) => (
        <Line key={number.value} icon={icons[number.kind]} value={number.shown || number.value} kind={t(`number.${number.kind}`)} {...(calls ? { onCall: () => void engine.phone.start(number.value) } : {})} />
      ))}
      {person.mail && <Line icon={<Mail20Regular aria-hidden />} value={person.mail} kind={t("contact.mail")} />}
      <Line icon={<Chat20Regular aria-hidden />} value={person.id} kind={t("contact.address")} />
    </ul>
  );
}
