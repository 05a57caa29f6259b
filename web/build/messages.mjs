// The catalogues of the page as modules: `virtual:messages/<language>` are the page's own sentences, `virtual:reasons/sign-in`
// and `virtual:reasons/later` those of the engine's reasons, in two loads: signing in need not wait for what calls may say.
// ICU messages are parsed here, at build, so that a wrong one fails the build and no parser ships.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { parse, TYPE } from "@formatjs/icu-messageformat-parser";

const WEB = dirname(dirname(fileURLToPath(import.meta.url)));
const OWN = join(WEB, "src", "messages");
const REASONS = join(WEB, "..", "ringback", "rules", "catalogue", "en");
const SOURCE_LANGUAGE = "en";
// Reasons have a room of their own: `trace.typed` is a sentence of the engine and a word of the page.
const PREFIX = "reason:";
const PSEUDO = "en-XA";
/** The files of reasons that may be seen before anybody is signed in; all others come with the second load. */
const SIGN_IN = new Set(
  ["certificates", "config_changes", "configuration", "decisions", "discovery", "engine", "faults", "sign_in", "tokens"].map(
    (area) => `${area}.json`,
  ),
);

/** The files of sentences that services and the doctor write into pages, logs and reports of their own: the engine says none of them. */
const SERVICES = new Set(["call_control", "directory_faults", "directory_sync", "edge_doctor", "edge_limits", "edge_reload", "edge_sip", "identity_provider", "log_in_page", "presence_routing", "voicemail_faults"].map((area) => `${area}.json`));

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Names of the arguments of a parsed message, sorted. */
function argumentsOf(elements, names = new Set()) {
  for (const element of elements) {
    if (element.type !== TYPE.literal && element.type !== TYPE.pound) names.add(element.value);
    if (element.options) for (const option of Object.values(element.options)) argumentsOf(option.value, names);
    if (element.children) argumentsOf(element.children, names);
  }
  return [...names].sort();
}

/** Every message of a catalogue, parsed; a message that is only text stays text. */
function compile(catalogue, from) {
  const compiled = {};
  for (const [id, message] of Object.entries(catalogue)) {
    let elements;
    try {
      elements = parse(message, { captureLocation: false });
    } catch (error) {
      throw new Error(`${from}: the message ${id} is not well formed: ${error.message}`);
    }
    compiled[id] = elements;
  }
  return compiled;
}

/** The complete catalogue of a language: every id of English, with the same arguments. */
function ownMessages(language) {
  const english = compile(readJson(join(OWN, `${SOURCE_LANGUAGE}.json`)), `${SOURCE_LANGUAGE}.json`);
  if (language === SOURCE_LANGUAGE) return english;
  if (language === PSEUDO) return Object.fromEntries(Object.entries(english).map(([id, parts]) => [id, pseudo(parts)]));
  const file = `${language}.json`;
  const own = compile(readJson(join(OWN, file)), file);
  for (const [id, elements] of Object.entries(english)) {
    if (!own[id]) throw new Error(`${file}: the message ${id} is missing`);
    const [wanted, found] = [argumentsOf(elements).join(), argumentsOf(own[id]).join()];
    if (wanted !== found) throw new Error(`${file}: the message ${id} uses (${found}) in place of (${wanted})`);
  }
  for (const id of Object.keys(own)) if (!english[id]) throw new Error(`${file}: the message ${id} is not in English`);
  return own;
}

const ACCENTED = Object.fromEntries([..."aeiouyAEIOUYcnsz"].map((letter, at) => [letter, [..."àéîöûýÀÉÎÖÛÝçñšž"][at]]));

/** English made 40 % longer and foreign, to see what is cut and what is not translated. */
function pseudo(elements) {
  return elements.map((element) => {
    if (element.type === TYPE.literal) {
      const words = element.value.replace(/[A-Za-z]/g, (letter) => ACCENTED[letter] ?? letter);
      return { ...element, value: words + "~".repeat(Math.floor(words.trim().length * 0.4)) };
    }
    if (element.options) {
      const options = Object.entries(element.options).map(([key, option]) => [key, { ...option, value: pseudo(option.value) }]);
      return { ...element, options: Object.fromEntries(options) };
    }
    return element;
  });
}

/** The engine's sentences of a load. All files are read for each, so that no two can hold the same reason. */
function reasonMessages(load) {
  const [seen, chosen] = [new Set(), {}];
  for (const file of readdirSync(REASONS).filter((name) => name.endsWith(".json")).sort()) {
    for (const [id, message] of Object.entries(compile(readJson(join(REASONS, file)), file))) {
      if (seen.has(id)) throw new Error(`${file}: the reason ${id} has a sentence in another file already`);
      seen.add(id);
      if (!SERVICES.has(file) && SIGN_IN.has(file) === (load === "sign-in")) chosen[PREFIX + id] = message;
    }
  }
  return chosen;
}

/** The languages that have a catalogue. */
export const languages = readdirSync(OWN).filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));

/** The Vite plugin. */
export function messages() {
  return {
    name: "ringback-messages",
    resolveId: (id) => (id.startsWith("virtual:messages/") || id.startsWith("virtual:reasons/") ? `\0${id}` : null),
    load(id) {
      const [kind, language] = id.startsWith("\0virtual:") ? id.slice("\0virtual:".length).split("/") : [];
      if (kind === "messages") return `export default JSON.parse(${JSON.stringify(JSON.stringify(ownMessages(language)))})`;
      if (kind === "reasons") return `export default JSON.parse(${JSON.stringify(JSON.stringify(reasonMessages(language)))})`;
      return null;
    },
  };
}
