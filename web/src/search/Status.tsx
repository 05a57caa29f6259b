/** Below the rows: who is still being asked, and which directory did not answer, with its reason. The rest stays. */
import { ErrorCircle16Filled } from "@fluentui/react-icons";
import { Spinner } from "@fluentui/react-spinner";
import { useEffect, useState } from "react";

import { go } from "../engine/place";
import { useTexts } from "../texts/texts";
import type { Search } from "./useFindings";
import css from "./search.module.css";

const PATIENCE = 400;

/** True only once it has been so for a while: what is over soon need not be told. */
function useLasting(state: boolean): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!state) {
      setLasting(false);
      return undefined;
    }
    const timer = window.setTimeout(() => setLasting(true), PATIENCE);
    return () => window.clearTimeout(timer);
  }, [state]);
  return lasting && state;
}

export function Status({ search, query, empty, onLeave }: { search: Search; query: string; empty: boolean; onLeave: () => void }) {
  const { t, reason, list } = useTexts();
  const slow = useLasting(!search.complete);
  const asked = search.sources.filter((source) => source.state === "asking").map((source) => source.name);
  const failed = search.sources.filter((source) => source.state === "failed");
  const bad = search.unanswered || failed.length > 0;
  return (
    <>
      {empty && search.complete && <p className={css.none}>{t(bad ? "search.noneOwn" : "search.none", { query })}</p>}
      {slow && (
        <p className={css.asking}>
          <Spinner size="extra-tiny" aria-hidden />
          {asked.length ? t("search.asking", { names: list(asked) }) : t("search.waiting")}
        </p>
      )}
      {failed.map((source) => (
        <p key={source.id} className={css.failed}>
          <ErrorCircle16Filled aria-hidden />
          <span>{reason(source.problem) || t("search.sourceFailed", { name: source.name })}</span>
          <button
            type="button"
            onClick={() => {
              onLeave();
              go("settings", "connection");
            }}
          >
            {t("why")}
          </button>
        </p>
      ))}
      {search.unanswered && <p className={css.none}>{t("search.noDirectory")}</p>}
    </>
  );
}
