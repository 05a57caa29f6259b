/** Voicemail: inbox, sent and deleted messages, newest first. */
import { Button } from "@fluentui/react-button";
import { Record20Regular, Settings20Regular, Voicemail24Regular } from "@fluentui/react-icons";
import { useEffect, useState } from "react";

import { useEngine, useLink, useMailbox, useVoice } from "../engine/hooks";
import { go } from "../engine/place";
import type { VoiceFolder } from "../engine/voicemail";
import { Bones } from "../parts/Bones";
import { Chips } from "../parts/Chips";
import { ConfirmDialog } from "../parts/ConfirmDialog";
import { Empty } from "../parts/Empty";
import { IconButton } from "../parts/IconButton";
import { useArrowKeys } from "../parts/useArrowKeys";
import { useDialling } from "../people/useDialling";
import { ListPane } from "../shell/ListPane";
import shell from "../shell/shell.module.css";
import type { MessageId } from "../texts/catalogue";
import { useTexts } from "../texts/texts";
import type { VoiceMessage } from "../wire";
import { MailboxState } from "./MailboxState";
import css from "./voicemail.module.css";
import { VoiceRow } from "./VoiceRow";
import type { Age } from "./words";
import { ageOf } from "./words";

const ages: readonly Age[] = ["today", "week", "earlier"];
const heads = { today: "time.today", week: "voicemail.week", earlier: "voicemail.earlier" } as const satisfies Record<Age, MessageId>;

/** Get the newest page whenever a folder is looked at, or the engine came back. */
function useFolder(folder: VoiceFolder) {
  const { voicemail } = useEngine();
  const { open } = useLink();
  const [got, setGot] = useState<Readonly<Partial<Record<VoiceFolder, boolean>>>>({});
  const [complete, setComplete] = useState<Readonly<Partial<Record<VoiceFolder, boolean>>>>({});
  const take = (name: VoiceFolder, before = "") =>
    voicemail.load(name, before).then(
      (all) => {
        setComplete((now) => ({ ...now, [name]: all }));
        setGot((now) => ({ ...now, [name]: true }));
      },
      () => setGot((now) => ({ ...now, [name]: true })),
    );
  useEffect(() => {
    if (open) void take(folder);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `take` is new in every run, and means the same
  }, [voicemail, folder, open]);
  return { loaded: got[folder] ?? false, complete: complete[folder] ?? true, older: (before: string) => void take(folder, before) };
}

function EmptyFolder({ folder, onRecord }: { folder: VoiceFolder; onRecord: () => void }) {
  const { t } = useTexts();
  const engine = useEngine();
  const mailbox = useMailbox();
  const dial = mailbox?.dial ?? "";
  const { marks } = useDialling();
  if (mailbox?.state === "off") {
    return (
      <Empty
        icon={<Voicemail24Regular />}
        title={mailbox.new ? t("voicemail.waiting", { count: mailbox.new }) : t("voicemail.telephone")}
        help={t("voicemail.telephone.help", { number: dial })}
        action={<Button {...marks} onClick={() => void engine.phone.start(dial, false)}>{t("voicemail.call")}</Button>}
      />
    );
  }
  const action = folder === "deleted" ? undefined : <Button onClick={onRecord}>{t("voicemail.record")}</Button>;
  return <Empty icon={<Voicemail24Regular />} title={t(`voicemail.none.${folder}`)} help={t(`voicemail.none.${folder}.help`)} action={action} />;
}

interface Props {
  open: VoiceMessage | null;
  alone: boolean;
  folder: VoiceFolder;
  onFolder: (folder: VoiceFolder) => void;
  onRecord: () => void;
}

export function VoiceList({ open, alone, folder, onFolder, onRecord }: Props) {
  const { t } = useTexts();
  const engine = useEngine();
  const mailbox = useMailbox();
  const all = useVoice();
  const arrows = useArrowKeys<HTMLDivElement>();
  const { loaded, complete, older } = useFolder(folder);
  const [emptying, setEmptying] = useState(false);
  const rows = all.filter((message) => message.folder === folder);
  const now = new Date();
  const last = rows.at(-1);
  return (
    <ListPane title="voicemail-title" alone={alone}>
      <div className={shell.head}>
        <h1 id="voicemail-title">{t("place.voicemail")}</h1>
        <IconButton icon={<Record20Regular />} label={t("voicemail.record")} onClick={onRecord} />
        <IconButton icon={<Settings20Regular />} label={t("voicemail.greetings")} onClick={() => go("settings", "voicemail")} />
      </div>
      <Chips<VoiceFolder>
        label={t("filter")}
        chips={[
          { id: "inbox", text: t("voicemail.inbox"), count: mailbox?.new ?? 0 },
          { id: "sent", text: t("voicemail.sent") },
          { id: "deleted", text: t("voicemail.deleted") },
        ]}
        chosen={folder}
        onChoose={onFolder}
      />
      <MailboxState />
      <div className={shell.scroll} {...arrows}>
        {ages.map((age) => {
          const some = rows.filter((message) => ageOf(message.at, now) === age);
          if (!some.length) return null;
          return (
            <div key={age}>
              <div className={shell.section}>{t(heads[age])}</div>
              {some.map((message) => (
                <VoiceRow key={message.id} message={message} current={message.id === open?.id} />
              ))}
            </div>
          );
        })}
        {last && !complete && (
          <div className={css.older}>
            <Button appearance="subtle" onClick={() => older(last.id)}>
              {t("voicemail.older")}
            </Button>
          </div>
        )}
        {folder === "deleted" && rows.length > 0 && (
          <div className={css.older}>
            <Button appearance="subtle" onClick={() => setEmptying(true)}>
              {t("voicemail.empty")}
            </Button>
          </div>
        )}
        {!rows.length && !loaded && mailbox?.state !== "off" && <Bones />}
        {!rows.length && (loaded || mailbox?.state === "off") && !mailbox?.asks && <EmptyFolder folder={folder} onRecord={onRecord} />}
      </div>
      {emptying && (
        <ConfirmDialog title={t("voicemail.empty.title")} text={t("voicemail.empty.text")} yes={t("voicemail.forGood")} no={t("keep")} onDone={engine.voicemail.empty} onClose={() => setEmptying(false)} />
      )}
    </ListPane>
  );
}
