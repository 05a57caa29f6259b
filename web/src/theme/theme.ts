/** The Fluent theme: its brand ramp, with the neutrals taken from the page's own tokens, so that each colour is written once. */
import type { BrandVariants, Theme } from "@fluentui/react-theme";
import { createDarkTheme, createLightTheme } from "@fluentui/react-theme";

const brand: BrandVariants = {
  10: "#04161C",
  20: "#06232C",
  30: "#072F3B",
  40: "#083B4A",
  50: "#0A485A",
  60: "#0B556A",
  70: "#0C617A",
  80: "#0D6E8A",
  90: "#2A8099",
  100: "#4693A9",
  110: "#63A7BA",
  120: "#81BACA",
  130: "#9FCDDA",
  140: "#BDDFE8",
  150: "#D8EDF3",
  160: "#EEF7FA",
};

const own: Partial<Theme> = {
  colorNeutralBackground1: "var(--canvas)",
  colorNeutralBackground1Hover: "var(--hover)",
  colorNeutralBackground1Pressed: "var(--hover)",
  colorNeutralBackground1Selected: "var(--selected)",
  colorNeutralBackground2: "var(--list)",
  colorNeutralBackground3: "var(--sunk)",
  colorSubtleBackgroundHover: "var(--hover)",
  colorSubtleBackgroundPressed: "var(--selected)",
  colorNeutralForeground1: "var(--t1)",
  colorNeutralForeground2: "var(--t2)",
  colorNeutralForeground3: "var(--t3)",
  colorNeutralForeground4: "var(--t3)",
  colorNeutralForeground2BrandHover: "var(--link)",
  colorNeutralForeground2BrandPressed: "var(--link)",
  colorNeutralStroke1: "var(--line-strong)",
  colorNeutralStroke2: "var(--line)",
  colorNeutralStrokeAccessible: "var(--control)",
  colorNeutralStrokeAccessibleHover: "var(--t3)",
  colorBrandBackground: "var(--brand)",
  colorBrandBackgroundHover: "var(--brand-hover)",
  colorBrandBackgroundPressed: "var(--brand-hover)",
  colorCompoundBrandBackground: "var(--brand)",
  colorCompoundBrandBackgroundHover: "var(--brand-hover)",
  colorCompoundBrandStroke: "var(--selected-bar)",
  colorBrandForeground1: "var(--link)",
  colorBrandForegroundLink: "var(--link)",
  colorNeutralForegroundDisabled: "var(--t3)",
  colorStrokeFocus1: "var(--canvas)",
  colorStrokeFocus2: "var(--t1)",
  fontFamilyBase: "var(--ui)",
  fontFamilyMonospace: "var(--mono)",
  borderRadiusMedium: "6px",
  borderRadiusLarge: "8px",
  borderRadiusXLarge: "16px",
};

export const lightTheme: Theme = { ...createLightTheme(brand), ...own };
export const darkTheme: Theme = { ...createDarkTheme(brand), ...own };
