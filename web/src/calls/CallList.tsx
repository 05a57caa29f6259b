/** Calls: which device they use, those that go on, and the past ones by day. */
import { Button } from "@fluentui/react-button";
import { Call24Regular, Dialpad20Regular, Search20Regular, Voicemail20Regular } from "@fluentui/react-icons";
import { Input } from "@fluentui/react-input";
import { useEffect, useMemo, useState } from "react";

import { useCalls, useEngine, useLink, useRecents, useSoftphone } from "../engine/hooks";
import { RECENTS_PAGE } from "../engine/phone";
import { go } from "../engine/place";
import { Chips } from "../parts/Chips";
import { Empty } from "../parts/Empty";
import { IconButton } from "../parts/IconButton";
import { useArrowKeys } from "../parts/useArrowKeys";
import { useDialling } from "../people/useDialling";
import { ListPane } from "../shell/ListPane";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import { AskNotifications } from "./AskNotifications";
import css from "./calls.module.css";
import { DeviceCard } from "./DeviceCard";
import type { RecentFilter } from "./folding";
import { foldRecents } from "./folding";
import { LiveRow } from "./LiveRow";
import { RecentRow } from "./RecentRow";

const SEEN_AFTER = 1000;

/** Whoever looks at the list has seen the missed ones. */
function useSeen(): void {
  const engine = useEngine();
  const missed = useSoftphone()?.missed ?? 0;
  useEffect(() => {
    if (!missed) return undefined;
    const see = () => {
      // Without a link it is told the next time.
      if (!document.hidden) engine.phone.seen().catch(() => undefined);
    };
    const timer = window.setTimeout(see, SEEN_AFTER);
    document.addEventListener("visibilitychange", see);
    return () => {
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", see);
    };
  }, [engine, missed]);
}

/** Messages in the voicemail, and the way to hear them. */
function Waiting() {
  const { t } = useTexts();
  const engine = useEngine();
  const phone = useSoftphone();
  const { marks } = useDialling();
  if (!phone?.messages || !phone.voicemail) return null;
  return (
    <div className={css.device} data-inset>
      <Voicemail20Regular aria-hidden />
      <div>
        <b>{t("voicemail.waiting", { count: phone.messages })}</b>
      </div>
      <button type="button" className={css.link} {...marks} onClick={() => void engine.phone.start(phone.voicemail, false)}>
        {t("voicemail.hear")}
      </button>
    </div>
  );
}

function Older() {
  const { t } = useTexts();
  const engine = useEngine();
  const link = useLink();
  const [complete, setComplete] = useState(false);
  if (complete || !link.open) return null;
  return (
    <div className={css.older}>
      <Button appearance="subtle" onClick={() => void engine.phone.older().then(setComplete, () => undefined)}>
        {t("recent.older")}
      </Button>
    </div>
  );
}

export function CallList({ open }: { open: string | null }) {
  const { t, day } = useTexts();
  const recents = useRecents();
  const calls = useCalls().filter((call) => call.state !== "ended" && call.state !== "ringing_in");
  const [filter, setFilter] = useState<RecentFilter>("all");
  const [finding, setFinding] = useState(false);
  const [query, setQuery] = useState("");
  const arrows = useArrowKeys<HTMLDivElement>();
  useSeen();
  const days = useMemo(() => foldRecents(recents, filter, finding ? query : ""), [recents, filter, finding, query]);
  const missed = recents.filter((recent) => recent.result === "missed" && !recent.seen).length;
  return (
    <ListPane title="calls-title" alone={open === null}>
      <div className={shell.head}>
        <h1 id="calls-title">{t("place.calls")}</h1>
        <IconButton icon={<Search20Regular />} label={t("recent.find")} pressed={finding} onClick={() => setFinding(!finding)} />
        <IconButton icon={<Dialpad20Regular />} label={t("dial.title")} onClick={() => go("calls", "dial")} />
      </div>
      {finding && (
        <div className={css.find}>
          {/* eslint-disable-next-line jsx-a11y/no-autofocus -- opened to type into it */}
          <Input value={query} autoFocus onChange={(_, data) => setQuery(data.value)} placeholder={t("recent.find")} aria-label={t("recent.find")} />
        </div>
      )}
      <Chips<RecentFilter>
        label={t("filter")}
        chips={[
          { id: "all", text: t("chats.all") },
          { id: "missed", text: t("recent.missed"), count: missed },
          { id: "received", text: t("recent.filter.received") },
          { id: "made", text: t("recent.filter.made") },
        ]}
        chosen={filter}
        onChoose={setFilter}
      />
      <DeviceCard />
      <Waiting />
      <AskNotifications />
      <div className={shell.scroll} {...arrows}>
        {calls.length > 0 && <div className={shell.section}>{t("calls.now")}</div>}
        {calls.map((call) => (
          <LiveRow key={call.id} call={call} />
        ))}
        {days.map((one) => (
          <div key={one.at}>
            <div className={shell.section}>{day(one.at)}</div>
            {one.folds.map((fold) => (
              <RecentRow key={fold.newest.id} fold={fold} current={fold.newest.id === open} />
            ))}
          </div>
        ))}
        {recents.length >= RECENTS_PAGE && filter === "all" && !query && <Older />}
        {!days.length && !calls.length && (
          <Empty
            icon={<Call24Regular />}
            title={t(recents.length ? "recent.none.filter" : "recent.none")}
            help={t(recents.length ? "chats.none.filter" : "recent.none.help")}
          />
        )}
      </div>
    </ListPane>
  );
}
