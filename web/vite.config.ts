import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { messages } from "./build/messages.mjs";

export default defineConfig({
  plugins: [react(), messages()],
  base: "/",
  resolve: {
    // Messages are compiled at build, so the parser of ICU messages need not reach the page.
    alias: { "@formatjs/icu-messageformat-parser": "@formatjs/icu-messageformat-parser/no-parser.js" },
  },
  build: {
    outDir: "../ringback/client/host/page",
    emptyOutDir: true,
    target: "es2022",
    manifest: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
