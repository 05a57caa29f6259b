/** The page: language, theme and direction around either the sign-in or the shell. */
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { IntlProvider } from "react-intl";

import type { Engine } from "./engine/engine";
import { EngineContext, useMe, useSignIn } from "./engine/hooks";
import { usePreferences } from "./engine/prefs";
import { Announcer } from "./parts/announce";
import { useMedia } from "./parts/useMedia";
import { NoLink } from "./signin/NoLink";
import type { Catalogue } from "./texts/catalogue";
import { chooseLanguage, loadFirst, loadLater } from "./texts/catalogue";
import { LanguageContext } from "./texts/texts";

const SignIn = lazy(() => import("./signin/SignIn"));
const Shell = lazy(() => import("./shell/Shell"));

function useLanguage() {
  const { language: chosen } = usePreferences();
  const language = chooseLanguage(new URLSearchParams(window.location.search).get("lang"), chosen, navigator.languages);
  const [first, setFirst] = useState<Catalogue | null>(null);
  const [later, setLater] = useState<Catalogue | null>(null);
  useEffect(() => {
    let wanted = true;
    void loadFirst(language).then((messages) => wanted && setFirst(messages));
    return () => {
      wanted = false;
    };
  }, [language]);
  useEffect(() => void loadLater().then(setLater), []);
  const messages = useMemo(() => first && { ...later, ...first }, [first, later]);
  return { language, messages, complete: later !== null };
}

function useDark(): boolean {
  const { theme } = usePreferences();
  const system = useMedia("(prefers-color-scheme: dark)");
  return theme === "dark" || (theme === "system" && system);
}

/** The language with the region of the browser, which knows whether a day has 12 or 24 hours. */
const regionOf = (code: string) => navigator.languages.find((accepted) => accepted.split("-")[0] === code) ?? (code === "en-XA" ? "en" : code);

/** Which of the two: enter as soon as the first service is up. */
function Where({ dark, complete }: { dark: boolean; complete: boolean }) {
  const signIn = useSignIn();
  const me = useMe();
  if (!signIn) return <NoLink />;
  return <Suspense fallback={null}>{me && signIn.phase === "ready" ? complete && <Shell dark={dark} /> : <SignIn signIn={signIn} />}</Suspense>;
}

export function App({ engine }: { engine: Engine }) {
  const { language, messages, complete } = useLanguage();
  const { textSize, density } = usePreferences();
  const dark = useDark();
  useEffect(() => {
    const root = document.documentElement;
    root.dataset.theme = dark ? "dark" : "light";
    root.dataset.density = density;
    root.lang = language.code;
    root.dir = language.direction;
    root.style.setProperty("--text-size", String(textSize / 100));
  }, [dark, density, language, textSize]);
  if (!messages) return null;
  return (
    <IntlProvider locale={regionOf(language.code)} messages={messages} onError={() => undefined}>
      <LanguageContext.Provider value={language}>
        <EngineContext.Provider value={engine}>
          <Announcer>
            <Where dark={dark} complete={complete} />
          </Announcer>
        </EngineContext.Provider>
      </LanguageContext.Provider>
    </IntlProvider>
  );
}
