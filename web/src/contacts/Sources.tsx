/** Where the facts of a card come from, each with its directory and its age, and why several records are one person. */
import { Info16Regular } from "@fluentui/react-icons";
import { useState } from "react";

import { WhyButton, WhyCard } from "../parts/Why";
import type { MessageId } from "../texts/catalogue";
import { useTexts } from "../texts/texts";
import type { PersonCard } from "../wire";
import css from "./contacts.module.css";

const FIELDS: Readonly<Record<string, MessageId>> = {
  name: "form.name",
  full_name: "form.name",
  nickname: "contact.nickname",
  title: "form.title",
  department: "contact.department",
  company: "contact.company",
  location: "contact.location",
  manager: "contact.manager",
  mail: "contact.mail",
  mails: "contact.mail",
  chat: "contact.address",
  work: "number.work",
  mobile: "number.mobile",
  home: "number.home",
  other: "number.other",
  pager: "number.pager",
  fax: "number.fax",
  sip_uri: "contact.callAddress",
  user: "directories.user",
};

export function Sources({ card, source }: { card: PersonCard | null; source: string }) {
  const { t, reason, moment } = useTexts();
  const [open, setOpen] = useState(false);
  const from = (card?.sources ?? []).map((one) => reason(one));
  const rows = (card?.facts ?? []).map((fact) => {
    const name = FIELDS[fact.field];
    return { from: reason(fact.source), source: name ? t(name) : fact.field, said: fact.value, at: fact.at };
  });
  // Each directory once, and under it what it said.
  const facts = [...new Set(rows.map((row) => row.from))].flatMap((one) => [{ said: one }, ...rows.filter((row) => row.from === one)]);
  const photo = card?.photo_from ? [{ source: t("contact.photo"), said: reason(card.photo_from), at: card.photo_at }] : [];
  const merged = (card?.merged ?? []).map((one) => ({ said: reason(one) }));
  const lines = [...(facts.length ? [] : from.map((said) => ({ said }))), ...facts, ...photo, ...merged];
  if (!from.length && !source) return null;
  return (
    <>
      <p className={css.source}>
        <Info16Regular aria-hidden />
        <span>
          <span>{[...(from.length ? from : [source]), card?.photo_at ? t("contact.photoAge", { time: moment(card.photo_at) }) : ""].filter(Boolean).join(" · ")}</span>
          {lines.length > 0 && <WhyButton open={open} onToggle={() => setOpen(!open)} label={t("contact.whySources")} />}
        </span>
      </p>
      {open && <WhyCard title={t("contact.whySources")} lines={lines} onClose={() => setOpen(false)} />}
    </>
  );
}
