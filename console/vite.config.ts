import { fileURLToPath } from "node:url";

import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

// `duanka serve` serves what is built here under /console/.
export default defineConfig({
  base: "/console/",
  plugins: [vue()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_I18N_LEGACY_API__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  build: {
    outDir: fileURLToPath(new URL("../src/duanka/api/console", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false }, // its script would stand in the page, which the content policy forbids
    assetsInlineLimit: 0, // nothing is a data: address, for the same reason
  },
  server: {
    proxy: { "/card-restrictions": process.env.DUANKA_SERVED ?? "http://127.0.0.1:8000" },
  },
  test: { environment: "happy-dom", include: ["tests/**/*.test.ts"] },
});
