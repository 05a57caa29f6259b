import { setPreferences, usePreferences } from "../engine/prefs";
import { useTexts } from "../texts/texts";
import { Choice } from "./Choice";

const sizes = ["90", "100", "110", "120", "130"] as const;

export function AppearancePage() {
  const { t } = useTexts();
  const { theme, density, textSize } = usePreferences();
  return (
    <>
      <Choice
        title={t("appearance.theme")}
        options={[
          { id: "system", text: t("appearance.system") },
          { id: "light", text: t("appearance.light") },
          { id: "dark", text: t("appearance.dark") },
        ]}
        chosen={theme}
        onChoose={(chosen) => setPreferences({ theme: chosen })}
      />
      <Choice
        title={t("appearance.density")}
        help={t("appearance.density.help")}
        options={[
          { id: "comfortable", text: t("appearance.comfortable") },
          { id: "compact", text: t("appearance.compact") },
        ]}
        chosen={density}
        onChoose={(chosen) => setPreferences({ density: chosen })}
      />
      <Choice
        title={t("appearance.size")}
        options={sizes.map((size) => ({ id: size, text: t("appearance.percent", { percent: size }) }))}
        chosen={String(textSize) as (typeof sizes)[number]}
        onChoose={(chosen) => setPreferences({ textSize: Number(chosen) })}
      />
    </>
  );
}
