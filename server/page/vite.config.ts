// Builds the page of `GET /` from `source/` into dist/page/: hashed files that refer to each other by relative paths.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { precompress } from "./precompress.js";

const folder = dirname(fileURLToPath(import.meta.url));
const target = join(folder, "../../dist/page");

export default defineConfig({
  root: join(folder, "source"),
  // Relative, so that the page also works under a proxy's path prefix.
  base: "./",
  publicDir: false,
  logLevel: "warn",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: target,
    emptyOutDir: true,
    assetsDir: "page",
    // The policy of the page allows no inline files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ["chrome123", "firefox121", "safari17.5"],
    reportCompressedSize: false,
    // Shipped beside the page, since minified code has no notices.
    license: { fileName: "licenses.md" },
  },
  plugins: [precompress(target)],
});
