import jsxA11y from "eslint-plugin-jsx-a11y";
import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const physical = "/^(left|right|marginLeft|marginRight|paddingLeft|paddingRight|borderLeft|borderRight|textAlign)$/";

export default tseslint.config(
  { ignores: ["node_modules", "public", "src/wire.ts", "**/*.mjs", "*.config.*"] },
  ...tseslint.configs.strictTypeChecked,
  jsxA11y.flatConfigs.recommended,
  {
    files: ["src/**/*.{ts,tsx}"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { "react-hooks": reactHooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "no-restricted-imports": [
        "error",
        { paths: [{ name: "@fluentui/react-components", message: "Import from the component's own package: the barrel ends up in the first chunk." }] },
      ],
      "no-restricted-syntax": [
        "error",
        { selector: `Property[key.name=${physical}]`, message: "Use logical properties: the page is read from both sides." },
        { selector: "Literal[value=/^#[0-9a-fA-F]{3,8}$/]", message: "Colours are tokens of theme/." },
      ],
    },
  },
  // The brand ramp is where colours are written.
  { files: ["src/theme/*.ts"], rules: { "no-restricted-syntax": "off" } },
);
