import { setPreferences } from "../engine/prefs";
import { choosable } from "../texts/catalogue";
import { useTexts } from "../texts/texts";
import { Choice } from "./Choice";

export function LanguagePage() {
  const { t, language } = useTexts();
  return (
    <Choice
      title={t("language.choose")}
      help={t("language.help")}
      options={choosable.map((choice) => ({ id: choice.code, text: choice.name }))}
      chosen={language.code}
      onChoose={(code) => setPreferences({ language: code })}
    />
  );
}
