/** The window of a signed-in person: top bar, rail, and the place that the URL names. */
import { FluentProvider } from "@fluentui/react-provider";
import { lazy, Suspense, useState } from "react";

import { ChatsPlace } from "../chats/ChatsPlace";
import { NewChatDialog } from "../chats/NewChatDialog";
import { useCalls, useConversation, useFeatures } from "../engine/hooks";
import { usePlace } from "../engine/place";
import { HoverCards } from "../people/HoverCard";
import { useTexts } from "../texts/texts";
import { darkTheme, lightTheme } from "../theme/theme";
import { KeyboardDialog } from "./KeyboardDialog";
import { OfflineBar } from "./OfflineBar";
import { QuestionBars } from "./QuestionBars";
import { Rail } from "./Rail";
import css from "./shell.module.css";
import { TopBar } from "./TopBar";
import { useArrivals } from "./useArrivals";
import { useVoiceArrivals } from "./useVoiceArrivals";
import { useActivity } from "./useActivity";
import { useLanding } from "./useLanding";
import { useKeys } from "./useKeys";
import { useTitle } from "./useTitle";

/** As a style: a class would be given to everything that opens over the page too. */
const fill = { blockSize: "100%", background: "transparent" };

const ContactsPlace = lazy(() => import("../contacts/ContactsPlace"));
const CallsPlace = lazy(() => import("../calls/CallsPlace"));
const CallLayer = lazy(() => import("../calls/CallLayer"));
const CallBar = lazy(() => import("../calls/CallBar"));
const VoicemailPlace = lazy(() => import("../voicemail/VoicemailPlace"));
const SettingsPlace = lazy(() => import("../settings/SettingsPlace"));

export default function Shell({ dark }: { dark: boolean }) {
  const { language } = useTexts();
  return (
    <FluentProvider theme={dark ? darkTheme : lightTheme} dir={language.direction} style={fill}>
      <Window />
    </FluentProvider>
  );
}

function Window() {
  const { t } = useTexts();
  const place = usePlace();
  useLanding();
  const conversation = useConversation(place.id ?? "");
  const [dialog, setDialog] = useState<"" | "keyboard" | "newChat">("");
  const close = () => setDialog("");
  useTitle(place);
  useArrivals(place);
  useVoiceArrivals(place);
  useActivity();
  useKeys({ onHelp: () => setDialog("keyboard"), onNewChat: () => setDialog("newChat") });
  // Loaded with the first view: who calls must not wait for a chunk.
  const calls = useFeatures()?.calls ?? false;
  const live = useCalls().some((call) => call.id === place.id);
  return (
    <div className={css.shell} data-open={place.id ? "main" : "list"} data-live={(place.name === "calls" && live) || undefined}>
      <Suspense fallback={null}>{calls && <CallLayer place={place} />}</Suspense>
      <a className={css.skip} href="#main">
        {t("skip.main")}
      </a>
      {place.name === "chats" && conversation && (
        <a className={css.skip} href="#composer">
          {t("skip.composer")}
        </a>
      )}
      <TopBar />
      <Rail place={place} />
      <div className={css.sheet}>
        <div className={css.bars}>
          <OfflineBar />
          <QuestionBars />
          <Suspense fallback={null}>{calls && <CallBar place={place} />}</Suspense>
        </div>
        {place.name === "chats" && <ChatsPlace id={place.id} onNewChat={() => setDialog("newChat")} />}
        <Suspense fallback={null}>
          {place.name === "contacts" && <ContactsPlace id={place.id} />}
          {place.name === "calls" && <CallsPlace id={place.id} />}
          {place.name === "voicemail" && <VoicemailPlace id={place.id} />}
          {place.name === "settings" && <SettingsPlace id={place.id} onKeyboard={() => setDialog("keyboard")} />}
        </Suspense>
      </div>
      <HoverCards />
      {dialog === "keyboard" && <KeyboardDialog onClose={close} />}
      {dialog === "newChat" && <NewChatDialog onClose={close} />}
    </div>
  );
}
