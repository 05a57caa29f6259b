/** A voice message: who left it and when, its sound, and how to go on with it. */
import { Button } from "@fluentui/react-button";
import { ArrowForward20Regular, ArrowLeft20Regular, ArrowReply20Regular, ArrowUndo20Regular, Call20Regular, Chat20Regular, Delete20Regular, EyeOff20Regular, Info16Regular } from "@fluentui/react-icons";
import type { ReactElement } from "react";
import { useState } from "react";

import { PartyFace } from "../calls/PartyFace";
import { glyphOf } from "../calls/glyphs";
import { partyNumber, resultOf } from "../calls/words";
import { useEngine, useFeatures, useMailbox, usePerson, useRecents } from "../engine/hooks";
import { go } from "../engine/place";
import { ConfirmDialog } from "../parts/ConfirmDialog";
import { IconButton } from "../parts/IconButton";
import { Notice } from "../parts/Notice";
import { useNarrow } from "../parts/useMedia";
import type { Dialling } from "../people/useDialling";
import { useDialling } from "../people/useDialling";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Recent, VoiceMessage } from "../wire";
import { PlayerBar } from "./PlayerBar";
import css from "./voicemail.module.css";
import { whoOf } from "./words";

/** How long before its message a call was, in milliseconds: ringing, the greeting and the message itself. */
const NEAR = 600_000;

function Action({ icon, text, onClick, bad = false, marks }: { icon: ReactElement; text: string; onClick: () => void; bad?: boolean; marks?: Dialling["marks"] }) {
  return (
    <button type="button" onClick={onClick} data-bad={bad || undefined} {...marks}>
      {icon}
      {text}
    </button>
  );
}

interface Props {
  message: VoiceMessage;
  onReply: () => void;
  onForward: () => void;
  onDelete: () => Promise<void>;
}

function Actions({ message, onReply, onForward, onDelete, onProblem }: Props & { onProblem: (error: unknown) => void }) {
  const { t } = useTexts();
  const engine = useEngine();
  const { can, marks } = useDialling();
  const features = useFeatures();
  const online = useMailbox()?.state === "up";
  const [sure, setSure] = useState(false);
  const { party, folder, id } = message;
  const to = party.number || party.uri || party.person;
  const chat = async () => go("chats", (await engine.openChat(party.person)).id);
  return (
    <div className={css.actions} role="group" aria-label={t("voicemail.actions")}>
      {can && to && <Action marks={marks} icon={<Call20Regular aria-hidden />} text={t(folder === "sent" ? "call.call" : "call.back")} onClick={() => void engine.phone.start(to)} />}
      {party.person && features?.chats && <Action icon={<Chat20Regular aria-hidden />} text={t("contact.chat")} onClick={() => void chat().catch(onProblem)} />}
      {folder !== "sent" && party.person && online && <Action icon={<ArrowReply20Regular className="flip" aria-hidden />} text={t("voicemail.reply")} onClick={onReply} />}
      {!message.private && online && <Action icon={<ArrowForward20Regular className="flip" aria-hidden />} text={t("voicemail.forward")} onClick={onForward} />}
      {folder === "inbox" && !message.new && (
        <Action icon={<EyeOff20Regular aria-hidden />} text={t("voicemail.markNew")} onClick={() => void engine.voicemail.mark(id, true).catch(onProblem)} />
      )}
      {folder === "deleted" && <Action icon={<ArrowUndo20Regular aria-hidden />} text={t("voicemail.restore")} onClick={() => void engine.voicemail.restore(id).catch(onProblem)} />}
      <Action icon={<Delete20Regular aria-hidden />} text={t(folder === "inbox" ? "voicemail.delete" : "voicemail.forGood")} bad onClick={folder === "inbox" ? () => void onDelete().catch(onProblem) : () => setSure(true)} />
      {sure && (
        <ConfirmDialog
          title={t("voicemail.forGood.title")}
          text={t("voicemail.empty.text")}
          yes={t("voicemail.forGood")}
          no={t("keep")}
          onDone={async () => {
            await engine.voicemail.remove(id, true);
            go("voicemail", null, true);
          }}
          onClose={() => setSure(false)}
        />
      )}
    </div>
  );
}

/** The call that came before it: why it went to the voicemail stands in its story. */
function Before({ message }: { message: VoiceMessage }) {
  const texts = useTexts();
  const { t, moment } = texts;
  const recents = useRecents();
  const left = Date.parse(message.at);
  const same = (call: Recent) => (message.party.person ? call.party.person === message.party.person : call.party.number === message.party.number);
  const call = recents.find((one) => one.direction === "in" && one.result !== "answered" && same(one) && Math.abs(left - Date.parse(one.at)) < NEAR);
  if (message.folder === "sent" || !call) return null;
  return (
    <div className={css.before}>
      {glyphOf(call)}
      <span>{[resultOf(texts, call, 1), moment(call.at)].join(" · ")}</span>
      <Button size="small" onClick={() => go("calls", call.id)}>
        {t("recent.story")}
      </Button>
    </div>
  );
}

export function VoiceDetail(props: Props) {
  const { message } = props;
  const texts = useTexts();
  const { t, moment, refused } = texts;
  const narrow = useNarrow();
  const Title = narrow ? "h1" : "h2";
  const person = usePerson(message.party.person);
  const mailbox = useMailbox();
  const [problem, setProblem] = useState("");
  const name = whoOf(texts, message);
  const work = [person?.title, person?.department, partyNumber(message.party)].filter(Boolean);
  const facts = [moment(message.at), message.urgent ? t("voicemail.urgent") : "", message.private ? t("voicemail.private") : "", message.subject].filter(Boolean);
  return (
    <main className={shell.main} id="main" tabIndex={-1} data-pane="main" aria-label={t("voicemail.from", { name })}>
      {narrow && (
        <div className={css.top}>
          <IconButton icon={<ArrowLeft20Regular className="flip" />} label={t("back")} onClick={() => go("voicemail")} />
        </div>
      )}
      <div className={css.scroll}>
        <article className={css.message}>
          <div className={css.who}>
            <PartyFace party={message.party} size={narrow ? 56 : 80} presence />
            <div>
              <Title>
                <bdi>{name}</bdi>
              </Title>
              {work.length > 0 && <p>{work.join(" · ")}</p>}
              <p className={css.when}>{facts.join(" · ")}</p>
            </div>
          </div>
          <PlayerBar message={message} />
          <Actions {...props} onProblem={(error) => setProblem(refused(error))} />
          {problem && <Notice kind="bad" title={problem} />}
          {message.transcript && (
            <section className={css.transcript} aria-label={t("voicemail.transcript")}>
              <h3>{t("voicemail.transcript")}</h3>
              <p>{message.transcript}</p>
              <p className={css.note}>{t("voicemail.transcript.note")}</p>
            </section>
          )}
          <Before message={message} />
          {message.kept && mailbox?.state !== "up" && (
            <p className={css.note}>
              <Info16Regular aria-hidden />
              {t("voicemail.keptHere")}
            </p>
          )}
        </article>
      </div>
    </main>
  );
}
