/** Voicemail: the list, and the message that is open. */
import { Button } from "@fluentui/react-button";
import { Voicemail24Regular } from "@fluentui/react-icons";
import { useEffect, useState } from "react";

import { useEngine, useVoice } from "../engine/hooks";
import { go } from "../engine/place";
import type { VoiceFolder } from "../engine/voicemail";
import { Empty } from "../parts/Empty";
import { Panes } from "../shell/Panes";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { VoiceMessage } from "../wire";
import type { Way } from "./SendDialog";
import { SendDialog } from "./SendDialog";
import { VoiceDetail } from "./VoiceDetail";
import { VoiceList } from "./VoiceList";
import css from "./voicemail.module.css";

const UNDO = 8000;

/** What was deleted just now can be taken back. */
function Undo({ message, onOver }: { message: VoiceMessage; onOver: () => void }) {
  const { t, refused } = useTexts();
  const engine = useEngine();
  const [problem, setProblem] = useState("");
  const [held, setHeld] = useState(false);
  useEffect(() => {
    // It stays for as long as somebody is at it.
    if (held) return undefined;
    const timer = window.setTimeout(onOver, UNDO);
    return () => window.clearTimeout(timer);
  }, [message.id, held, onOver]);
  const undo = () =>
    engine.voicemail.restore(message.id).then(
      () => {
        onOver();
        go("voicemail", message.id);
      },
      (error: unknown) => setProblem(refused(error)),
    );
  return (
    <div className={css.undo} role="status" onFocus={() => setHeld(true)} onBlur={() => setHeld(false)} onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)}>
      <span>{problem || t("voicemail.deletedNow")}</span>
      <Button size="small" appearance="primary" onClick={() => void undo()}>
        {t("voicemail.undo")}
      </Button>
    </div>
  );
}

export default function VoicemailPlace({ id }: { id: string | null }) {
  const { t } = useTexts();
  const engine = useEngine();
  const all = useVoice();
  const message = all.find((one) => one.id === id) ?? null;
  const [folder, setFolder] = useState<VoiceFolder>(message?.folder ?? "inbox");
  const [sending, setSending] = useState<{ way: Way; message: VoiceMessage | null } | null>(null);
  const [deleted, setDeleted] = useState<VoiceMessage | null>(null);
  const [over] = useState(() => () => setDeleted(null));
  const choose = (next: VoiceFolder) => {
    setFolder(next);
    if (message && message.folder !== next) go("voicemail");
  };
  const remove = async (one: VoiceMessage) => {
    const rows = all.filter((other) => other.folder === "inbox");
    const at = rows.findIndex((other) => other.id === one.id);
    const next = rows[at + 1] ?? rows[at - 1] ?? null;
    await engine.voicemail.remove(one.id);
    setDeleted(one);
    go("voicemail", next?.id ?? null, true);
  };
  const main = message ? (
    <VoiceDetail
      key={message.id}
      message={message}
      onReply={() => setSending({ way: "reply", message })}
      onForward={() => setSending({ way: "forward", message })}
      onDelete={() => remove(message)}
    />
  ) : (
    <main className={shell.main} id="main" tabIndex={-1} data-pane="main" aria-label={t("place.voicemail")}>
      <Empty icon={<Voicemail24Regular />} title={t("voicemail.choose")} help={t("voicemail.choose.help")} />
    </main>
  );
  return (
    <>
      <Panes list={<VoiceList open={message} alone={id === null} folder={folder} onFolder={choose} onRecord={() => setSending({ way: "new", message: null })} />} main={main} />
      {deleted && <Undo message={deleted} onOver={over} />}
      {sending && <SendDialog way={sending.way} message={sending.message} onClose={() => setSending(null)} />}
    </>
  );
}
