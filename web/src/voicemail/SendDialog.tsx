/** Saying something to people: a new message, an answer by voice, or a message that is passed on. */
import { Button } from "@fluentui/react-button";
import { Checkbox } from "@fluentui/react-checkbox";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";
import { Field } from "@fluentui/react-field";
import { Dismiss16Regular } from "@fluentui/react-icons";
import { Input } from "@fluentui/react-input";
import { useEffect, useState } from "react";

import { useEngine, useMailbox } from "../engine/hooks";
import type { VoiceParcel } from "../engine/voicemail";
import { Avatar } from "../parts/Avatar";
import { useAnnounce } from "../parts/announce";
import { useTexts } from "../texts/texts";
import type { VoiceAddress, VoiceMessage } from "../wire";
import { RecordField } from "./RecordField";
import css from "./voicemail.module.css";
import { whoOf } from "./words";

export type Way = "new" | "reply" | "forward";

const PAUSE = 200;

/** People with a mailbox whose name begins so. */
function useAddresses(query: string): readonly VoiceAddress[] {
  const { voicemail } = useEngine();
  const [found, setFound] = useState<{ query: string; people: readonly VoiceAddress[] }>({ query: "", people: [] });
  useEffect(() => {
    let over = false;
    const look = () =>
      voicemail.find(query).then(
        (people) => !over && setFound({ query, people }),
        () => !over && setFound({ query, people: [] }),
      );
    const timer = query ? window.setTimeout(() => void look(), PAUSE) : 0;
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, [voicemail, query]);
  return query && found.query === query ? found.people : [];
}

function Recipients({ chosen, onChange }: { chosen: readonly VoiceAddress[]; onChange: (people: readonly VoiceAddress[]) => void }) {
  const { t } = useTexts();
  const [query, setQuery] = useState("");
  const found = useAddresses(query.trim()).filter((one) => !chosen.some((other) => other.address === one.address));
  const face = (one: VoiceAddress, size: number) => <Avatar person={{ id: one.person || one.address, name: one.name }} size={size} plain={!one.person} />;
  return (
    <div className={css.to}>
      {chosen.length > 0 && (
        <div className={css.chosen} role="group" aria-label={t("people.chosen")}>
          {chosen.map((one) => (
            <button key={one.address} type="button" onClick={() => onChange(chosen.filter((other) => other !== one))} aria-label={t("people.takeOut", { name: one.name })}>
              {face(one, 22)}
              <bdi>{one.name}</bdi>
              <Dismiss16Regular aria-hidden />
            </button>
          ))}
        </div>
      )}
      <Field label={t("voicemail.to")}>
        {/* eslint-disable-next-line jsx-a11y/no-autofocus -- the first thing to do in a dialog that was just opened */}
        <Input value={query} onChange={(_, data) => setQuery(data.value)} autoFocus autoComplete="off" placeholder={t("voicemail.to.help")} />
      </Field>
      {found.length > 0 && (
        <div className={css.found} role="group" aria-label={t("search.people")}>
          {found.map((one) => (
            <button
              key={one.address}
              type="button"
              onClick={() => {
                onChange([...chosen, one]);
                setQuery("");
              }}
            >
              {face(one, 28)}
              <bdi>{one.name}</bdi>
              <small>{one.number}</small>
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

export function SendDialog({ way, message, onClose }: { way: Way; message: VoiceMessage | null; onClose: () => void }) {
  const texts = useTexts();
  const { t, refused } = texts;
  const { voicemail } = useEngine();
  const announce = useAnnounce();
  const mailbox = useMailbox();
  const [people, setPeople] = useState<readonly VoiceAddress[]>([]);
  const [wav, setWav] = useState<Blob | null>(null);
  const [subject, setSubject] = useState("");
  const [urgent, setUrgent] = useState(false);
  const [secret, setSecret] = useState(false);
  const [everybody, setEverybody] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const name = message ? whoOf(texts, message) : "";
  const ready = way === "reply" ? wav !== null : people.length > 0 && (way === "forward" || wav !== null);
  const send = async () => {
    setBusy(true);
    setProblem("");
    const how: VoiceParcel["how"] = way === "reply" && everybody ? "replyall" : way;
    try {
      const recording = wav ? await voicemail.hand(wav) : "";
      await voicemail.send({ recording, to: people.map((one) => one.address), subject: subject.trim(), urgent, private: secret, about: message?.id ?? "", how });
      announce(t("voicemail.sent.done"));
      onClose();
    } catch (error) {
      setProblem(refused(error));
      setBusy(false);
    }
  };
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && onClose()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{way === "new" ? t("voicemail.record") : t(way === "reply" ? "voicemail.replyTo" : "voicemail.forward.title", { name })}</DialogTitle>
          <DialogContent className={css.dialog ?? ""}>
            {way !== "reply" && <Recipients chosen={people} onChange={setPeople} />}
            {way === "forward" && <p>{t("voicemail.forward.help")}</p>}
            <RecordField longest={mailbox?.longest ?? 0} onChange={setWav} />
            {way !== "reply" && (
              <Field label={t("voicemail.subject")}>
                <Input value={subject} maxLength={200} onChange={(_, data) => setSubject(data.value)} />
              </Field>
            )}
            <div className={css.marks}>
              <Checkbox label={t("voicemail.urgent")} checked={urgent} onChange={(_, data) => setUrgent(Boolean(data.checked))} />
              <Checkbox label={t("voicemail.private")} checked={secret} onChange={(_, data) => setSecret(Boolean(data.checked))} />
              {way === "reply" && message && message.to.length > 1 && <Checkbox label={t("voicemail.replyAll")} checked={everybody} onChange={(_, data) => setEverybody(Boolean(data.checked))} />}
            </div>
            {problem && (
              <p role="alert" className={css.problem}>
                {problem}
              </p>
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={onClose}>{t("cancel")}</Button>
            <Button appearance="primary" disabledFocusable={!ready || busy} onClick={() => void send()}>
              {t("send")}
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
