/** Servers by hand: these come before everything that is found. */
import { ArrowLeft20Regular } from "@fluentui/react-icons";
import { useState } from "react";

import { useEngine } from "../engine/hooks";
import type { MessageId } from "../texts/catalogue";
import { useTexts } from "../texts/texts";
import type { Entry, ManualSettings, SignIn } from "../wire";
import css from "./card.module.css";
import { Button, IconButton, SelectField, TextField } from "./controls";
import { serverProblem } from "./serverNames";
import { TraceLines } from "./TraceLines";

type TextField = "presence" | "call_manager" | "configuration" | "voicemail" | "voice_domain" | "name_server" | "edge";

const automatic: ManualSettings = {
  mode: "automatic",
  account: "presence",
  presence: "",
  call_manager: "",
  configuration: "",
  voicemail: "",
  voice_domain: "",
  name_server: "",
  internet_protocol: "both",
  edge: "",
};
const accounts = ["presence", "callmanager", "messenger", "xmpp"] as const;
const protocols = ["both", "ipv4", "ipv6"] as const;
const fields: readonly { field: TextField; label: MessageId; hint?: MessageId; optional?: boolean }[] = [
  { field: "presence", label: "advanced.presence" },
  { field: "call_manager", label: "advanced.callManager" },
  { field: "configuration", label: "advanced.configuration", hint: "advanced.configuration.hint", optional: true },
  { field: "voicemail", label: "advanced.voicemail", hint: "advanced.voicemail.hint", optional: true },
  { field: "edge", label: "advanced.edge", hint: "advanced.edge.hint", optional: true },
  { field: "voice_domain", label: "advanced.voiceDomain", optional: true },
  { field: "name_server", label: "advanced.nameServer", hint: "advanced.nameServer.hint", optional: true },
];

interface Props {
  signIn: SignIn;
  address: string;
  onBack: () => void;
}

export function AdvancedCard({ signIn, address, onBack }: Props) {
  const { t } = useTexts();
  const engine = useEngine();
  const [settings, setSettings] = useState(signIn.manual);
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [tested, setTested] = useState<readonly Entry[] | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const change = (part: Partial<ManualSettings>) => setSettings({ ...settings, ...part });
  const byHand = settings.mode === "manual";
  const unusable = byHand && fields.some(({ field }) => serverProblem(settings[field]) !== null);
  const untestable = busy || unusable || !byHand;

  const save = async () => {
    await engine.setManual(settings);
    onBack();
    if (address) await engine.findServices(address);
  };
  const test = async () => {
    setBusy(true);
    try {
      setTested((await engine.testServers(settings)).entries);
    } catch {
      setProblem(t("advanced.testFailed"));
    } finally {
      setBusy(false);
    }
  };
  const reset = async () => {
    setSettings(automatic);
    setTested(null);
    await engine.setManual(automatic);
  };

  return (
    <section className={css.card} data-size="large">
      <div className={css.body}>
        <div className={css.back}>
          <IconButton icon={<ArrowLeft20Regular className="flip" />} label={t("back")} onClick={onBack} />
          <h1>{t("advanced")}</h1>
        </div>
        <p className={css.lead}>{t("advanced.lead")}</p>
        <div className={css.switch} role="radiogroup" aria-label={t("advanced.mode")}>
          {(["automatic", "manual"] as const).map((mode) => (
            <label key={mode}>
              <input type="radio" name="mode" checked={settings.mode === mode} onChange={() => change({ mode })} />
              {t(`advanced.mode.${mode}`)}
            </label>
          ))}
        </div>
        {byHand && (
          <div className={`${css.form ?? ""} ${css.grid ?? ""}`}>
            <SelectField
              label={t("advanced.account")}
              value={settings.account}
              onChange={(event) => change({ account: event.target.value as ManualSettings["account"] })}
            >
              {accounts.map((account) => (
                <option key={account} value={account}>
                  {t(`advanced.account.${account}`)}
                </option>
              ))}
            </SelectField>
            {fields.map(({ field, label, hint, optional }) => {
              const wrong = left.has(field) ? serverProblem(settings[field]) : null;
              return (
                <TextField
                  key={field}
                  label={optional ? t("optional", { field: t(label) }) : t(label)}
                  problem={wrong ? t(wrong) : undefined}
                  value={settings[field]}
                  placeholder={hint ? t(hint) : undefined}
                  spellCheck={false}
                  dir={settings[field] ? "ltr" : undefined}
                  onChange={(event) => change({ [field]: event.target.value.trim() })}
                  onBlur={() => setLeft(new Set(left).add(field))}
                />
              );
            })}
            <SelectField
              label={t("advanced.protocol")}
              value={settings.internet_protocol}
              onChange={(event) => change({ internet_protocol: event.target.value as ManualSettings["internet_protocol"] })}
            >
              {protocols.map((protocol) => (
                <option key={protocol} value={protocol}>
                  {t(`advanced.protocol.${protocol}`)}
                </option>
              ))}
            </SelectField>
          </div>
        )}
        <div className={`${css.form ?? ""} ${css.buttons ?? ""}`} style={{ flexDirection: "row" }}>
          <Button kind="primary" large aria-disabled={unusable} onClick={() => unusable || void save()}>
            {address ? t("advanced.saveAndSignIn") : t("save")}
          </Button>
          <Button large aria-disabled={untestable} onClick={() => untestable || void test()}>
            {t("advanced.test")}
          </Button>
          <button type="button" className={css.link} onClick={() => void reset()}>
            {t("advanced.reset")}
          </button>
        </div>
        {problem && <p role="alert">{problem}</p>}
        {tested && (
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a long trace is scrolled by keyboard
          <div className={css.tested} role="region" aria-label={t("trace.title")} tabIndex={0}>
            <TraceLines entries={tested} />
          </div>
        )}
      </div>
    </section>
  );
}
