// Rules for style sheets: no left and right (the page is read from both sides), no colour outside the tokens.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = join(dirname(dirname(fileURLToPath(import.meta.url))), "src");
const TOKENS = join("theme", "tokens.css");
const physical = /(?:^|[\s;{-])(?:left|right)\s*:|(?:margin|padding|border)-(?:left|right)|text-align:\s*(?:left|right)|float:\s*(?:left|right)/;
const colour = /#[0-9a-fA-F]{3,8}\b|\brgba?\(/;

let found = 0;
for (const file of readdirSync(SOURCE, { recursive: true }).filter((name) => name.endsWith(".css"))) {
  readFileSync(join(SOURCE, file), "utf8").split("\n").forEach((line, at) => {
    const wrong = physical.test(line) ? "uses left or right" : !file.endsWith(TOKENS) && colour.test(line) ? "holds a colour" : "";
    if (!wrong) return;
    found += 1;
    console.error(`src/${file}:${at + 1} ${wrong}: ${line.trim().slice(0, 100)}`);
  });
}
process.exit(found ? 1 : 0);
