/** Choosing somebody for a call: to transfer it, at once or after a question, or to add them. */
import { Button } from "@fluentui/react-button";
import { Call20Regular, Dismiss20Regular } from "@fluentui/react-icons";
import { Input } from "@fluentui/react-input";
import { useMemo, useState } from "react";

import { isAvailable } from "../contacts/groups";
import { useEngine, useMe, usePeople } from "../engine/hooks";
import { Avatar } from "../parts/Avatar";
import { IconButton } from "../parts/IconButton";
import { PresenceWords } from "../parts/PresenceWords";
import { useFindings } from "../search/useFindings";
import { useTexts } from "../texts/texts";
import type { Call, Person } from "../wire";
import css from "./calls.module.css";
import { consultation } from "./OtherCalls";
import panel from "./quality.module.css";
import { looksDialable, planWords, usePlan } from "./usePlan";
import { callName, stateOf } from "./words";

const SUGGESTED = 8;

export type PickKind = "transfer" | "add";

function useFound(query: string): readonly Person[] {
  const me = useMe();
  const people = usePeople();
  const search = useFindings(query);
  return useMemo(() => {
    if (query) return search.people.map((row) => row.person).filter((person) => person.id !== me?.id);
    // Before anything is typed: favourites, and who could answer now.
    const listed = people.filter((person) => person.in_list && (person.favourite || isAvailable(person)));
    return listed.sort((a, b) => Number(b.favourite) - Number(a.favourite) || a.name.localeCompare(b.name)).slice(0, SUGGESTED);
  }, [query, people, search.people, me]);
}

interface Props {
  kind: PickKind;
  call: Call;
  others: readonly Call[];
  onClose: () => void;
}

export function PickPanel({ kind, call, others, onClose }: Props) {
  const texts = useTexts();
  const { t } = texts;
  const { phone } = useEngine();
  const [query, setQuery] = useState("");
  const wanted = query.trim();
  const found = useFound(wanted);
  const plan = usePlan(wanted);
  const asked = others.map((other) => ({ other, pair: consultation(call, other) })).find(({ pair }) => pair !== null);
  const now = (to: string) => {
    void (kind === "transfer" ? phone.transfer(call.id, to) : phone.add(call.id, to));
    onClose();
  };
  const ask = (to: string) => {
    void phone.start(to, false, call.id);
    onClose();
  };
  const buttons = (to: string, name: string) => (
    <span className={css.picks}>
      <Button size="small" appearance="primary" aria-label={`${t(kind === "transfer" ? "transfer.now" : "call.add")}: ${name}`} onClick={() => now(to)}>
        {t(kind === "transfer" ? "transfer.now" : "call.add")}
      </Button>
      {kind === "transfer" && (
        <Button size="small" aria-label={`${t("transfer.ask")}: ${name}`} onClick={() => ask(to)}>
          {t("transfer.ask")}
        </Button>
      )}
    </span>
  );
  const title = t(kind === "transfer" ? "transfer.title" : "call.add.title");
  return (
    <aside className={panel.panel} aria-label={title} data-pane="detail">
      <div className={panel.head}>
        <h2>{title}</h2>
        <IconButton icon={<Dismiss20Regular />} label={t("close")} onClick={onClose} />
      </div>
      <div className={panel.body}>
        {asked?.pair && kind === "transfer" && (
          <section className={panel.box}>
            <header>
              <h3>{callName(texts, asked.other)}</h3>
              <span className={panel.word}>{stateOf(texts, asked.other)}</span>
            </header>
            <Button appearance="primary" onClick={() => asked.pair && void phone.complete(asked.pair.call, asked.pair.consult)}>
              {t("transfer.complete")}
            </Button>
          </section>
        )}
        {/* eslint-disable-next-line jsx-a11y/no-autofocus -- opened to type into it */}
        <Input value={query} autoFocus autoComplete="off" onChange={(_, data) => setQuery(data.value)} placeholder={t("pick.find")} aria-label={t("pick.find")} />
        <ul className={css.pickRows}>
          {looksDialable(wanted) && (
            <li>
              <span className={css.tile} style={{ inlineSize: 36, blockSize: 36, fontSize: 18 }}>
                <Call20Regular aria-hidden />
              </span>
              <div>
                <bdi dir="ltr">{plan?.shown || wanted}</bdi>
                <small>{planWords(texts, wanted, plan)}</small>
              </div>
              {buttons(wanted, plan?.shown || wanted)}
            </li>
          )}
          {found.filter((person) => person.id !== call.party.person).map((person) => (
            <li key={person.id}>
              <Avatar person={person} size={36} presence={person.presence} />
              <div>
                <bdi>{person.name}</bdi>
                <small>
                  <PresenceWords presence={person.presence} status={false} />
                </small>
              </div>
              {buttons(person.id, person.name)}
            </li>
          ))}
        </ul>
        {wanted && !found.length && !looksDialable(wanted) && <p className={css.plan}>{t("people.none")}</p>}
      </div>
    </aside>
  );
}
