/** Oneself: the state that others see, set by hand or left to the devices, and the status message, edited in place. */
import { Field } from "@fluentui/react-field";
import { ArrowSync20Regular, Checkmark20Regular, Dismiss20Regular, Settings20Regular, SignOut20Regular } from "@fluentui/react-icons";
import { Input } from "@fluentui/react-input";
import { Popover, PopoverSurface, PopoverTrigger } from "@fluentui/react-popover";
import type { FormEvent } from "react";
import { useState } from "react";

import { useEngine, useLink, useMe, useOnline, useServices } from "../engine/hooks";
import { go } from "../engine/place";
import { Avatar } from "../parts/Avatar";
import { IconButton } from "../parts/IconButton";
import { PresenceBadge } from "../parts/PresenceBadge";
import { showName } from "../parts/presenceWords";
import { WhyButton, WhyCard } from "../parts/Why";
import { useTexts } from "../texts/texts";
import type { Me } from "../wire";
import css from "./topbar.module.css";

const choices = ["available", "away", "dnd", "offline"] as const;

function StatusForm({ me, onDone }: { me: Me; onDone: () => void }) {
  const { t } = useTexts();
  const engine = useEngine();
  const [text, setText] = useState(me.status);
  const save = (status: string) => {
    void engine.setStatus(status.trim());
    onDone();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save(text);
  };
  return (
    <form className={css.statusForm} onSubmit={submit}>
      <Field label={t("me.status")}>
        <div className={css.statusRow}>
          <Input value={text} placeholder={t("me.status.hint")} maxLength={200} onChange={(_, data) => setText(data.value)} aria-label={t("me.status")} />
          <IconButton icon={<Checkmark20Regular />} label={t("save")} onClick={() => save(text)} />
          {me.status && <IconButton icon={<Dismiss20Regular />} label={t("me.status.clear")} onClick={() => save("")} />}
        </div>
      </Field>
    </form>
  );
}

/** Why nobody sees one: the connection in whose place nothing can be claimed. */
function NotSeen() {
  const { t, reason } = useTexts();
  const link = useLink();
  const messages = useServices().find((service) => service.id === "messages");
  const [open, setOpen] = useState(false);
  const since = link.open ? (messages?.since ?? null) : link.lostAt === null ? null : new Date(link.lostAt).toISOString();
  const said = link.open && messages ? [messages.text, ...messages.reasons].map((one) => reason(one)).filter(Boolean) : [t("me.notSeen.link")];
  return (
    <div>
      <p className={css.notSeen}>
        {t("me.notSeen.help")} <WhyButton open={open} onToggle={() => setOpen(!open)} />
      </p>
      {open && <WhyCard title={t("why.presence", { presence: t("me.notSeen") })} lines={[...new Set(said)].slice(0, 3).map((one, at) => ({ said: one, at: at ? null : since }))} onClose={() => setOpen(false)} />}
    </div>
  );
}

function Menu({ me, seen, onClose }: { me: Me; seen: boolean; onClose: () => void }) {
  const texts = useTexts();
  const { t } = texts;
  const engine = useEngine();
  const choose = (show: Me["chosen"]) => {
    void engine.setShow(show);
    onClose();
  };
  const openSettings = () => {
    onClose();
    go("settings");
  };
  return (
    <div className={css.menu}>
      {!seen && <NotSeen />}
      <StatusForm me={me} onDone={onClose} />
      <div role="radiogroup" aria-label={t("me.presence")}>
        {choices.map((show) => (
          <button key={show} type="button" role="radio" aria-checked={me.chosen === show} className={css.choice} onClick={() => choose(show)}>
            <PresenceBadge show={show} size={16} />
            {show === "offline" ? t("me.appearOffline") : showName(texts, show)}
          </button>
        ))}
        <button type="button" role="radio" aria-checked={me.chosen === ""} className={css.choice} onClick={() => choose("")}>
          <ArrowSync20Regular aria-hidden style={{ inlineSize: 16 }} />
          {t("me.automatic")}
        </button>
      </div>
      <div className={css.foot}>
        <button type="button" className={css.choice} onClick={openSettings}>
          <Settings20Regular aria-hidden />
          {t("place.settings")}
        </button>
        <button type="button" className={css.choice} onClick={() => void engine.signOut(false)}>
          <SignOut20Regular aria-hidden />
          {t("signOut")}
        </button>
      </div>
    </div>
  );
}

export function MyPresence() {
  const texts = useTexts();
  const me = useMe();
  const seen = useOnline();
  const [open, setOpen] = useState(false);
  if (!me) return null;
  // Without a connection nobody is told anything: what is set holds again when it is back.
  const presence = seen ? me.presence : { ...me.presence, show: "unknown" as const, since: null, until: null };
  const words = [seen ? showName(texts, presence.show) : texts.t("me.notSeen"), me.status].filter(Boolean).join(" · ");
  return (
    <Popover open={open} onOpenChange={(_, data) => setOpen(data.open)} positioning="below-end" trapFocus>
      <PopoverTrigger disableButtonEnhancement>
        <button type="button" className={css.me} aria-label={texts.t("me.menu", { name: me.name, presence: words })}>
          <Avatar person={me} size={34} presence={presence} plain />
          <span className={css.who}>
            <b>
              <bdi>{me.name}</bdi>
            </b>
            <span>{words}</span>
          </span>
        </button>
      </PopoverTrigger>
      <PopoverSurface aria-label={texts.t("me.presence")}>
        <Menu me={me} seen={seen} onClose={() => setOpen(false)} />
      </PopoverSurface>
    </Popover>
  );
}
