/** Settings: few pages; changes apply at once. */
import {
  Alert20Regular,
  ArrowLeft20Regular,
  Call20Regular,
  DarkTheme20Regular,
  Keyboard20Regular,
  LocalLanguage20Regular,
  Person20Regular,
  Server20Regular,
  Voicemail20Regular,
} from "@fluentui/react-icons";
import type { MouseEvent, ReactElement } from "react";

import { useFeatures, useHasVoicemail } from "../engine/hooks";
import { go, placePath } from "../engine/place";
import { IconButton } from "../parts/IconButton";
import { useNarrow } from "../parts/useMedia";
import { ListPane } from "../shell/ListPane";
import { Panes } from "../shell/Panes";
import shell from "../shell/shell.module.css";
import type { MessageId } from "../texts/catalogue";
import { useTexts } from "../texts/texts";
import { AccountPage } from "./AccountPage";
import { AppearancePage } from "./AppearancePage";
import { CallsPage } from "./CallsPage";
import { ConnectionPage } from "./ConnectionPage";
import { KeyboardPage } from "./KeyboardPage";
import { LanguagePage } from "./LanguagePage";
import { NotificationsPage } from "./NotificationsPage";
import { VoicemailPage } from "./VoicemailPage";
import css from "./settings.module.css";

const pages: readonly { id: string; title: MessageId; icon: ReactElement; view: () => ReactElement }[] = [
  { id: "account", title: "settings.account", icon: <Person20Regular aria-hidden />, view: () => <AccountPage /> },
  { id: "calls", title: "settings.calls", icon: <Call20Regular aria-hidden />, view: () => <CallsPage /> },
  { id: "voicemail", title: "settings.voicemail", icon: <Voicemail20Regular aria-hidden />, view: () => <VoicemailPage /> },
  { id: "notifications", title: "settings.notifications", icon: <Alert20Regular aria-hidden />, view: () => <NotificationsPage /> },
  { id: "appearance", title: "settings.appearance", icon: <DarkTheme20Regular aria-hidden />, view: () => <AppearancePage /> },
  { id: "keyboard", title: "settings.keyboard", icon: <Keyboard20Regular aria-hidden />, view: () => <KeyboardPage /> },
  { id: "language", title: "language", icon: <LocalLanguage20Regular aria-hidden />, view: () => <LanguagePage /> },
  { id: "connection", title: "settings.connection", icon: <Server20Regular aria-hidden />, view: () => <ConnectionPage /> },
];

export default function SettingsPlace({ id }: { id: string | null; onKeyboard: () => void }) {
  const { t } = useTexts();
  const narrow = useNarrow();
  const features = useFeatures();
  const voicemail = useHasVoicemail();
  const shown = pages.filter((one) => (one.id !== "calls" || features?.calls) && (one.id !== "voicemail" || voicemail));
  const page = shown.find((one) => one.id === id) ?? (narrow ? null : shown.find((one) => one.id === "appearance"));
  const open = (to: string) => (event: MouseEvent) => {
    event.preventDefault();
    go("settings", to);
  };
  return (
    <Panes
      list={
        <ListPane title="settings-title" alone={id === null}>
          <div className={shell.head}>
            <h1 id="settings-title">{t("place.settings")}</h1>
          </div>
          <nav className={css.pages} aria-label={t("place.settings")}>
            {shown.map((one) => (
              <a key={one.id} href={placePath("settings", one.id)} onClick={open(one.id)} aria-current={one === page ? "page" : undefined}>
                {one.icon}
                {t(one.title)}
              </a>
            ))}
          </nav>
        </ListPane>
      }
      main={
        <main className={shell.main} id="main" tabIndex={-1} data-pane="main">
          {page && (
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a page without controls is scrolled by keys too
            <div className={css.scroll} role="region" aria-label={t(page.title)} tabIndex={0}>
              <div className={css.page}>
                {narrow && <h1 className="sr-only">{t("place.settings")}</h1>}
                <div className={css.title}>
                  {narrow && <IconButton icon={<ArrowLeft20Regular className="flip" />} label={t("back")} onClick={() => go("settings")} />}
                  <h2>{t(page.title)}</h2>
                </div>
                {page.view()}
              </div>
            </div>
          )}
        </main>
      }
    />
  );
}
