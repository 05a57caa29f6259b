/** Voicemail: what callers hear, and whether messages are written down here. */
import { Button } from "@fluentui/react-button";
import { Field } from "@fluentui/react-field";
import { Input } from "@fluentui/react-input";
import { Switch } from "@fluentui/react-switch";
import { useCallback, useEffect, useState } from "react";

import { useEngine, useMailbox } from "../engine/hooks";
import { Bones } from "../parts/Bones";
import { Notice } from "../parts/Notice";
import { useTexts } from "../texts/texts";
import { RecordField } from "../voicemail/RecordField";
import { usePlayer } from "../voicemail/usePlayer";
import voice from "../voicemail/voicemail.module.css";
import type { Greeting } from "../wire";
import { Choice } from "./Choice";
import css from "./settings.module.css";

function Listen({ kind }: { kind: Greeting["kind"] }) {
  const { t } = useTexts();
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    let made = "";
    let over = false;
    const load = async () => {
      const answer = await fetch(`/api/greeting/${kind}`);
      if (over || !answer.ok) return;
      made = URL.createObjectURL(await answer.blob());
      setUrl(made);
    };
    // Without a link the button stays out of use.
    load().catch(() => undefined);
    return () => {
      over = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [kind]);
  const player = usePlayer(url, 0);
  return (
    <Button size="small" disabledFocusable={!url} onClick={player.toggle}>
      {t(player.playing ? "voicemail.pause" : "voicemail.listen")}
    </Button>
  );
}

/** The day and minute in the form of the browser's field, in the person's time. */
function local(at: string | null): string {
  if (!at) return "";
  const when = new Date(at);
  return new Date(when.getTime() - when.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function OneGreeting({ greeting, onChanged }: { greeting: Greeting; onChanged: () => void }) {
  const { t, refused } = useTexts();
  const { voicemail } = useEngine();
  const mailbox = useMailbox();
  const [recording, setRecording] = useState(false);
  const [wav, setWav] = useState<Blob | null>(null);
  const [problem, setProblem] = useState("");
  const { kind } = greeting;
  const always = kind === "standard";
  const change = (fields: { on?: boolean; recorded?: boolean; until?: string }) => {
    setProblem("");
    voicemail.setGreeting({ kind, ...fields }).then(onChanged, (error: unknown) => setProblem(refused(error)));
  };
  const keep = async () => {
    if (!wav) return;
    try {
      await voicemail.recordGreeting(kind, await voicemail.hand(wav));
      setRecording(false);
      setWav(null);
      onChanged();
    } catch (error) {
      setProblem(refused(error));
    }
  };
  return (
    <div className={voice.greeting} role="group" aria-label={t(`greeting.${kind}`)}>
      <div className={voice.greetingHead}>
        <b>{t(`greeting.${kind}`)}</b>
        {!always && <Switch checked={greeting.on} label={t("greeting.on")} onChange={(_, data) => change({ on: data.checked })} />}
      </div>
      <p>{t(`greeting.${kind}.help`)}</p>
      {(always || greeting.on) && (
        <Choice<"words" | "own">
          title={t("greeting.says")}
          options={[
            { id: "words", text: t("greeting.words") },
            { id: "own", text: t("greeting.own") },
          ]}
          chosen={greeting.recorded || recording ? "own" : "words"}
          onChoose={(id) => {
            setRecording(id === "own");
            if (id === "words") change({ recorded: false });
          }}
        />
      )}
      {kind === "alternate" && greeting.on && (
        <Field label={t("greeting.until")}>
          <Input type="datetime-local" value={local(greeting.until)} onChange={(_, data) => change({ until: data.value ? new Date(data.value).toISOString() : "" })} />
        </Field>
      )}
      {greeting.recorded && !recording && (
        <div className={css.buttons}>
          <Listen kind={kind} />
          <Button size="small" onClick={() => setRecording(true)}>
            {t("voicemail.again")}
          </Button>
        </div>
      )}
      {recording && (
        <>
          <RecordField longest={mailbox?.longest_greeting ?? 0} onChange={setWav} />
          <div className={css.buttons}>
            <Button onClick={() => setRecording(false)}>{t("cancel")}</Button>
            <Button appearance="primary" disabledFocusable={!wav} onClick={() => void keep()}>
              {t("greeting.use")}
            </Button>
          </div>
        </>
      )}
      {problem && <Notice kind="bad" title={problem} />}
    </div>
  );
}

function Greetings() {
  const { t, refused } = useTexts();
  const { voicemail } = useEngine();
  const up = useMailbox()?.state === "up";
  const [greetings, setGreetings] = useState<readonly Greeting[] | null>(null);
  const [problem, setProblem] = useState("");
  const load = useCallback(() => {
    voicemail.greetings().then(
      (rows) => {
        setGreetings(rows);
        setProblem("");
      },
      (error: unknown) => setProblem(refused(error)),
    );
  }, [voicemail, refused]);
  useEffect(load, [load, up]);
  return (
    <section className={`${css.box ?? ""} ${css.fields ?? ""}`} aria-label={t("voicemail.greetings")}>
      <h3>{t("voicemail.greetings")}</h3>
      {problem && (
        <Notice kind="warning" title={problem}>
          <Button size="small" onClick={load}>
            {t("tryAgain")}
          </Button>
        </Notice>
      )}
      {!greetings && !problem && <Bones rows={3} />}
      {greetings?.map((greeting) => (
        <OneGreeting key={greeting.kind} greeting={greeting} onChanged={load} />
      ))}
    </section>
  );
}

export function VoicemailPage() {
  const { t, reason, refused } = useTexts();
  const engine = useEngine();
  const mailbox = useMailbox();
  const [problem, setProblem] = useState("");
  if (!mailbox) return null;
  return (
    <>
      {mailbox.state === "off" ? <Notice kind="warning" title={reason(mailbox.text)} /> : <Greetings />}
      <section className={`${css.box ?? ""} ${css.fields ?? ""}`} aria-label={t("speech.title")}>
        <h3>{t("speech.title")}</h3>
        <p>{t(mailbox.speech === "absent" ? "speech.absent" : "speech.help")}</p>
        {mailbox.speech !== "absent" && (
          <Switch label={t("speech.on")} checked={mailbox.speech === "on"} onChange={(_, data) => void engine.voicemail.setSpeech(data.checked).catch((error: unknown) => setProblem(refused(error)))} />
        )}
        {problem && <Notice kind="bad" title={problem} />}
      </section>
    </>
  );
}
