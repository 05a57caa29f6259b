/** A number from keys or typed, with what would really be dialled. */
import { Button } from "@fluentui/react-button";
import { ArrowLeft20Regular, Backspace20Regular, Call20Filled, CallInbound20Regular, Video20Regular } from "@fluentui/react-icons";
import { Input } from "@fluentui/react-input";
import type { FormEvent } from "react";
import { useState } from "react";

import { useEngine, useFeatures } from "../engine/hooks";
import { go } from "../engine/place";
import { IconButton } from "../parts/IconButton";
import { useNarrow } from "../parts/useMedia";
import { useDialling } from "../people/useDialling";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import css from "./calls.module.css";
import { Dialpad } from "./Dialpad";
import { PhoneState } from "./PhoneState";
import { planWords, usePlan } from "./usePlan";

export function DialPane({ back }: { back: boolean }) {
  const texts = useTexts();
  const { t } = texts;
  const narrow = useNarrow();
  // Alone in the window it is what the page is about.
  const Title = narrow ? "h1" : "h2";
  const engine = useEngine();
  const features = useFeatures();
  const dialling = useDialling();
  const can = dialling.can && !dialling.barred;
  const [text, setText] = useState("");
  const plan = usePlan(text);
  const call = (video: boolean) => {
    if (text.trim()) void engine.phone.start(text.trim(), video);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    call(false);
  };
  return (
    <main className={shell.main} id="main" tabIndex={-1} data-pane="main" aria-label={t("dial.title")}>
      {narrow && back && (
        <div className={css.top}>
          <IconButton icon={<ArrowLeft20Regular className="flip" />} label={t("back")} onClick={() => go("calls")} />
        </div>
      )}
      <div className={css.dial}>
        <form onSubmit={submit}>
          <Title>{t("dial.title")}</Title>
          <div className={css.number}>
            <Input
              value={text}
              onChange={(_, data) => setText(data.value)}
              placeholder={t("dial.hint")}
              aria-label={t("dial.hint")}
              autoComplete="off"
              inputMode="tel"
              size="large"
              dir="ltr"
            />
            <IconButton icon={<Backspace20Regular className="flip" />} label={t("dial.back")} disabled={!text} onClick={() => setText(text.slice(0, -1))} />
          </div>
          <p className={css.plan} aria-live="polite">
            {planWords(texts, text, plan)}
          </p>
          <Dialpad label={t("dial.keys")} onKey={(key) => setText(text + key)} />
          <div className={css.dialButtons}>
            <Button {...dialling.marks} appearance="primary" size="large" icon={<Call20Filled />} type="submit" disabledFocusable={!can || !text.trim()}>
              {t("call.call")}
            </Button>
            {features?.video && (
              <Button {...dialling.marks} size="large" icon={<Video20Regular />} disabledFocusable={!can || !text.trim()} onClick={() => call(true)}>
                {t("call.video")}
              </Button>
            )}
          </div>
          {can && (
            <Button appearance="subtle" icon={<CallInbound20Regular />} onClick={() => void engine.phone.pickUp(text.trim())}>
              {text.trim() ? t("pickup.number", { number: text.trim() }) : t("pickup.group")}
            </Button>
          )}
        </form>
        <PhoneState />
      </div>
    </main>
  );
}
