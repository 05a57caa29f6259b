// Fails the build when a first load is heavier than its budget. Sizes are gzipped, as a browser gets them.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const PAGE = join(dirname(dirname(fileURLToPath(import.meta.url))), "..", "ringback", "client", "host", "page");
const KILO = 1000;
const manifest = JSON.parse(readFileSync(join(PAGE, ".vite", "manifest.json"), "utf8"));
const gzipped = (file) => gzipSync(readFileSync(join(PAGE, file)), { level: 9 }).length;

/** A chunk with all that it imports at once; dynamic imports are later loads. */
function closure(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const next of manifest[key].imports ?? []) closure(next, seen);
  return seen;
}

const keyOf = (part) => Object.keys(manifest).find((key) => key.includes(part)) ?? fail(`no chunk for ${part}`);
function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
const union = (...parts) => parts.reduce((all, part) => closure(keyOf(part), all), new Set());
const scripts = (keys) => [...new Set([...keys].map((key) => manifest[key].file))].reduce((sum, file) => sum + gzipped(file), 0);
const styles = (keys) => [...new Set([...keys].flatMap((key) => manifest[key].css ?? []))].reduce((sum, file) => sum + gzipped(file), 0);

const texts = ["virtual:messages/en", "virtual:reasons/sign-in"];
const signIn = union("index.html", "signin/SignIn", ...texts);
const main = union("index.html", "shell/Shell", ...texts, "virtual:reasons/later");
const font = readFileSync(join(PAGE, manifest[keyOf("next-latin-wght")].file)).length;

const budgets = [
  ["sign-in, scripts", scripts(signIn), 110],
  ["main view, scripts", scripts(new Set([...signIn, ...main])), 260],
  ["first load, styles and font", styles(signIn) + font, 45],
  ["page's own English sentences", scripts(union("virtual:messages/en")), 16],
];
let over = false;
for (const [name, size, budget] of budgets) {
  const verdict = size > budget * KILO ? "over the budget of" : "of";
  over ||= size > budget * KILO;
  console.log(`${name}: ${(size / KILO).toFixed(1)} ${verdict} ${budget} kB`);
}
if (over) process.exit(1);
