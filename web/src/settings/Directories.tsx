/** Where people are looked for: every directory with its state, what is wrong and what helps, and its checks on request. */
import { Button } from "@fluentui/react-button";
import { CheckmarkCircle16Filled, ErrorCircle16Filled, Warning16Filled } from "@fluentui/react-icons";
import { Field } from "@fluentui/react-field";
import { Input } from "@fluentui/react-input";
import { Spinner } from "@fluentui/react-spinner";
import type { FormEvent } from "react";
import { useState } from "react";

import { useDirectories, useEngine } from "../engine/hooks";
import { useAnnounce } from "../parts/announce";
import { WhyButton, WhyCard } from "../parts/Why";
import { useTexts } from "../texts/texts";
import type { CheckLine, Directory } from "../wire";
import css from "./settings.module.css";
import { stateGlyphs } from "./stateGlyphs";

const lineGlyphs: Record<CheckLine["state"], React.ReactElement> = {
  good: <CheckmarkCircle16Filled aria-hidden className={css.up} />,
  warning: <Warning16Filled aria-hidden className={css.waiting} />,
  bad: <ErrorCircle16Filled aria-hidden className={css.failed} />,
};

function Report({ lines }: { lines: readonly CheckLine[] }) {
  const { t, reason, number } = useTexts();
  return (
    <ol className={css.checks} aria-label={t("directories.report")}>
      {lines.map((line, at) => (
        <li key={at}>
          {lineGlyphs[line.state]}
          <div>
            <span className="sr-only">{t(`check.${line.state}`)}: </span>
            {reason(line.text)}
            {line.detail && <code>{line.detail}</code>}
          </div>
          {line.ms !== null && <span>{t("directories.took", { ms: number(Math.round(line.ms)) })}</span>}
        </li>
      ))}
    </ol>
  );
}

/** The directory wants a name and a password of its own. */
function LogIn({ directory }: { directory: Directory }) {
  const { t, refused } = useTexts();
  const engine = useEngine();
  const announce = useAnnounce();
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const save = (event: FormEvent) => {
    event.preventDefault();
    if (!user.trim() || !password) return;
    setProblem("");
    engine.people.setLogin(user.trim(), password).then(
      () => {
        setPassword("");
        announce(t("directories.loginKept"));
      },
      (error: unknown) => setProblem(refused(error)),
    );
  };
  return (
    <form className={css.logIn} onSubmit={save} aria-label={t("directories.login", { name: directory.name })}>
      <Field label={t("directories.user")}>
        <Input value={user} autoComplete="username" dir="ltr" maxLength={256} onChange={(_, data) => setUser(data.value)} />
      </Field>
      <Field label={t("signin.password")} validationState={problem ? "error" : "none"} validationMessage={problem || undefined}>
        <Input type="password" value={password} autoComplete="current-password" maxLength={1024} onChange={(_, data) => setPassword(data.value)} />
      </Field>
      <Button type="submit" appearance="primary" disabledFocusable={!user.trim() || !password}>
        {t("directories.logIn")}
      </Button>
    </form>
  );
}

function DirectoryRow({ directory }: { directory: Directory }) {
  const texts = useTexts();
  const { t, reason, short, number, refused } = texts;
  const engine = useEngine();
  const [why, setWhy] = useState(false);
  const [busy, setBusy] = useState(false);
  const [lines, setLines] = useState<readonly CheckLine[] | null>(null);
  const [problem, setProblem] = useState("");
  const state = t(`service.state.${directory.state}`);
  const since = directory.since ? t("service.since", { state, time: short(directory.since) }) : state;
  const facts = [
    directory.people === null ? "" : t("directories.people", { count: directory.people, people: number(directory.people) }),
    directory.kind === "cache" || directory.kind === "local" || directory.kind === "custom" ? "" : t(directory.secure ? "directories.secure" : "directories.open"),
    directory.asked ? t("directories.asked", { time: short(directory.asked) }) : "",
  ].filter(Boolean);
  const check = async () => {
    setBusy(true);
    setProblem("");
    try {
      setLines((await engine.people.check(directory.id)).lines);
    } catch (error) {
      setProblem(refused(error));
    }
    setBusy(false);
  };
  return (
    <li data-state={directory.state}>
      {stateGlyphs[directory.state]}
      <b>{directory.name}</b>
      <div>
        {directory.server && directory.server !== directory.name && <code>{directory.server}</code>}
        <span>{reason(directory.text) || since}</span>
        {directory.remedy && <span>{reason(directory.remedy)}</span>}
        {facts.length > 0 && <span>{facts.join(" · ")}</span>}
      </div>
      <span className={css.rowTools}>
        {directory.reasons.length > 0 && (
          <WhyButton open={why} onToggle={() => setWhy(!why)} label={t(directory.state === "up" ? "service.whyThis" : "why")} />
        )}
        <Button size="small" disabledFocusable={busy} onClick={() => void check()} aria-label={t("directories.checkOne", { name: directory.name })}>
          {busy ? <Spinner size="extra-tiny" aria-hidden /> : t("directories.check")}
        </Button>
      </span>
      {directory.login && <LogIn directory={directory} />}
      {why && (
        <WhyCard
          title={t("service.why", { service: directory.name })}
          lines={directory.reasons.map((one) => ({ said: reason(one) }))}
          onClose={() => setWhy(false)}
        />
      )}
      {lines && <Report lines={lines} />}
      {problem && (
        <p role="alert" className={css.failed}>
          {problem}
        </p>
      )}
    </li>
  );
}

export function Directories() {
  const { t } = useTexts();
  const directories = useDirectories();
  if (!directories.length) return null;
  return (
    <section aria-label={t("directories.title")}>
      <h3 className={css.subtitle}>{t("directories.title")}</h3>
      <ul className={css.services}>
        {directories.map((directory) => (
          <DirectoryRow key={directory.id} directory={directory} />
        ))}
      </ul>
    </section>
  );
}
