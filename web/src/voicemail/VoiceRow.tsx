/** A voice message in the list: who, how long, when, and what is special about it, in words. */
import { LockClosed16Regular } from "@fluentui/react-icons";
import type { MouseEvent } from "react";
import { memo } from "react";

import { PartyFace } from "../calls/PartyFace";
import { lengthOf, partyNumber } from "../calls/words";
import { usePerson } from "../engine/hooks";
import { go, placePath } from "../engine/place";
import { presenceSentence } from "../parts/presenceWords";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { VoiceMessage } from "../wire";
import css from "./voicemail.module.css";
import { timeOf, whoOf } from "./words";

export const VoiceRow = memo(function VoiceRow({ message, current }: { message: VoiceMessage; current: boolean }) {
  const texts = useTexts();
  const { t } = texts;
  const person = usePerson(message.party.person);
  const name = whoOf(texts, message);
  const facts = [partyNumber(message.party), message.subject].filter(Boolean);
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go("voicemail", message.id);
  };
  const words = [
    name,
    person ? presenceSentence(texts, person.presence) : "",
    message.new ? t("voicemail.new") : "",
    message.urgent ? t("voicemail.urgent") : "",
    message.private ? t("voicemail.private") : "",
    lengthOf(texts, message.seconds),
    ...facts,
    texts.moment(message.at),
  ];
  return (
    <a href={placePath("voicemail", message.id)} className={shell.row} aria-current={current || undefined} aria-label={words.filter(Boolean).join(", ")} data-unread={message.new || undefined} onClick={open}>
      <PartyFace party={message.party} presence />
      <span className={shell.lines}>
        <span className={shell.name}>
          <bdi title={name}>{name}</bdi>
          {message.private && <LockClosed16Regular aria-hidden />}
        </span>
        <span className={shell.second}>
          <span>
            {timeOf(message.seconds)}
            {facts.map((fact) => (
              <span key={fact}>
                {" · "}
                <bdi>{fact}</bdi>
              </span>
            ))}
          </span>
        </span>
      </span>
      <span className={shell.ends}>
        <time dateTime={message.at}>{texts.short(message.at)}</time>
        {message.urgent ? (
          <span className={css.tag} data-urgent>
            {t("voicemail.urgent")}
          </span>
        ) : (
          message.new && <span className={css.tag}>{t("voicemail.new")}</span>
        )}
      </span>
    </a>
  );
});
