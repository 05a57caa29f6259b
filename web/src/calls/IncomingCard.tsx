/** Somebody calls: who, on which line, and what can be done. It never takes the focus: somebody may be writing. */
import { Call20Filled, CallEnd20Filled, Chat16Regular, Chat20Regular, Info20Filled, Phone16Regular, Video20Regular, Voicemail20Regular } from "@fluentui/react-icons";
import { useState } from "react";

import { useConversation, useEngine, useFeatures, usePerson, useSoftphone } from "../engine/hooks";
import { go } from "../engine/place";
import { usePhone as useSmall } from "../parts/useMedia";
import { WhyButton } from "../parts/Why";
import { useChatWith } from "../people/useWays";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import css from "./incoming.module.css";
import { PartyFace } from "./PartyFace";
import { partyName, partyNumber } from "./words";

/** How a call that rang here ended, for a moment. */
export function EndedCard({ call }: { call: Call }) {
  const texts = useTexts();
  return (
    <section className={css.card} data-ended data-call-card aria-label={partyName(texts, call.party)}>
      <div className={css.who}>
        <PartyFace party={call.party} size={40} />
        <div>
          <h2>
            <bdi>{partyName(texts, call.party)}</bdi>
          </h2>
          <p>
            <Info20Filled aria-hidden />
            {texts.reason(call.note) || texts.t("call.ended")}
          </p>
        </div>
      </div>
    </section>
  );
}

function LastChat({ person }: { person: string }) {
  const { t, moment } = useTexts();
  const chat = useConversation(person);
  const last = chat?.last;
  if (!last || last.kind !== "text") return null;
  return (
    <p className={css.last}>
      <Chat16Regular aria-hidden />
      <span>{t("incoming.lastChat", { time: moment(last.at), text: last.body })}</span>
    </p>
  );
}

/** `second`: another call goes on here. */
export function IncomingCard({ call, second }: { call: Call; second: boolean }) {
  const texts = useTexts();
  const { t, reason } = texts;
  const engine = useEngine();
  const { phone } = engine;
  const features = useFeatures();
  const softphone = useSoftphone();
  const person = usePerson(call.party.person);
  const chatting = useChatWith(call.party.person);
  const small = useSmall();
  const [why, setWhy] = useState(false);
  const name = partyName(texts, call.party);
  const line = call.line || softphone?.number || "";
  const about = [person?.title, partyNumber(call.party)].filter(Boolean);
  const reply = async () => {
    void phone.decline(call.id);
    const chat = await engine.openChat(call.party.person);
    go("chats", chat.id);
  };
  const voicemail = call.may.includes("divert");
  return (
    <section className={css.card} data-call-card data-second={second || undefined} data-pane="call" aria-label={t("incoming.from", { name })}>
      <div className={css.who}>
        <div className={css.face}>
          <PartyFace party={call.party} size={small && !second ? 148 : second ? 44 : 64} presence={!small} />
        </div>
        <div>
          <p className={css.line}>
            <Phone16Regular aria-hidden />
            {line ? t("incoming.line", { line }) : t("call.incoming")}
          </p>
          <h2>
            <bdi>{name}</bdi>
          </h2>
          {about.length > 0 && (
            <p>
              {about.map((part, at) => (
                <span key={part}>
                  {at > 0 && " · "}
                  <bdi>{part}</bdi>
                </span>
              ))}
            </p>
          )}
        </div>
      </div>
      {!second && call.party.person && <LastChat person={call.party.person} />}
      <div className={css.main}>
        <button type="button" data-kind="decline" aria-keyshortcuts="Alt+N" onClick={() => void phone.decline(call.id)}>
          <CallEnd20Filled aria-hidden />
          <span>{t("incoming.decline")}</span>
        </button>
        {second && (
          <button type="button" data-kind="end" onClick={() => void phone.answer(call.id, false, true)}>
            <CallEnd20Filled aria-hidden />
            <span>{t("incoming.endAndAnswer")}</span>
          </button>
        )}
        <button type="button" data-kind="answer" aria-keyshortcuts="Alt+Y" onClick={() => void phone.answer(call.id)}>
          <Call20Filled aria-hidden />
          <span>{t(second ? "incoming.holdAndAnswer" : "incoming.answer")}</span>
        </button>
      </div>
      <div className={css.more}>
        {features?.video && call.asks_video && (
          <button type="button" onClick={() => void phone.answer(call.id, true)}>
            <Video20Regular aria-hidden />
            <span>{t("incoming.video")}</span>
          </button>
        )}
        {chatting && features?.chats && (
          <button type="button" title={t("incoming.reply.long")} onClick={() => void reply()}>
            <Chat20Regular aria-hidden />
            <span>{t("incoming.reply")}</span>
          </button>
        )}
        {voicemail && (
          <button type="button" onClick={() => void phone.divert(call.id)}>
            <Voicemail20Regular aria-hidden />
            <span>{t("incoming.voicemail")}</span>
          </button>
        )}
      </div>
      <div className={css.foot}>
        {!small && (
          <span>
            <kbd>Alt Y</kbd> {t("incoming.key.answer")}
            <kbd>Alt N</kbd> {t("incoming.key.decline")}
          </span>
        )}
        {call.why.length > 0 && <WhyButton open={why} onToggle={() => setWhy(!why)} label={t("incoming.why")} />}
      </div>
      {why && (
        <ol className={css.why}>
          {call.why.map((one, at) => (
            <li key={at}>{reason(one)}</li>
          ))}
        </ol>
      )}
    </section>
  );
}
