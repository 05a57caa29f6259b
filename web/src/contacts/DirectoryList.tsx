/** Everybody in the company: found as one types, page by page. */
import { Button } from "@fluentui/react-button";
import { Search20Regular } from "@fluentui/react-icons";
import { Input } from "@fluentui/react-input";
import { useState } from "react";

import { useMe } from "../engine/hooks";
import { Bones } from "../parts/Bones";
import { Empty } from "../parts/Empty";
import { Notice } from "../parts/Notice";
import { useArrowKeys } from "../parts/useArrowKeys";
import { useFindings } from "../search/useFindings";
import { useTexts } from "../texts/texts";
import { ContactRow } from "./ContactRow";
import css from "./contacts.module.css";

const PAGE = 50;

export function DirectoryList({ open }: { open: string | null }) {
  const { t, reason, number } = useTexts();
  const me = useMe();
  const [query, setQuery] = useState("");
  const wanted = query.trim();
  const search = useFindings(wanted, PAGE);
  const arrows = useArrowKeys<HTMLDivElement>();
  const people = search.people.filter(({ person }) => person.id !== me?.id);
  const total = Math.max(people.length, ...search.sources.map((source) => source.total ?? 0));
  const failed = search.sources.filter((source) => source.state === "failed");
  return (
    <>
      <div className={css.find}>
        <Input
          value={query}
          onChange={(_, data) => setQuery(data.value)}
          contentBefore={<Search20Regular />}
          placeholder={t("directory.find")}
          aria-label={t("directory.find")}
        />
      </div>
      {failed.map((source) => (
        <Notice key={source.id} kind="bad" title={t("search.sourceFailed", { name: source.name })} text={reason(source.problem)} />
      ))}
      {search.unanswered && <Notice kind="bad" title={t("directory.silent")} />}
      {wanted && !people.length && !search.complete && <Bones rows={4} />}
      <div {...arrows}>
        {people.map(({ person }) => (
          <ContactRow key={person.id} person={person} current={person.id === open} />
        ))}
      </div>
      {wanted && search.complete && !people.length && <p className={css.none}>{t("search.none", { query: wanted })}</p>}
      {people.length > 0 && (
        <p className={css.none}>
          {t("search.count", { shown: number(people.length), total: number(total) })}
          {search.findings?.more && (
            <Button size="small" appearance="subtle" onClick={search.more}>
              {t("search.more")}
            </Button>
          )}
        </p>
      )}
      {!wanted && <Empty icon={<Search20Regular />} title={t("directory.title")} help={t("directory.help")} />}
    </>
  );
}
