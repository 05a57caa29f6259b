import type { MessageId } from "../texts/catalogue";

const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*\\.?$`, "iu");
const SIX = /^\[?[0-9a-f:]+(?:%[a-z0-9]+)?\]?$/iu;

/** What is wrong with the form of a server's name, address or `name:port`, or null. An empty field is no mistake. */
export function serverProblem(text: string): MessageId | null {
  if (!text) return null;
  if (/^[a-z]+:\/\//iu.test(text)) return "advanced.problem.url";
  const withPort = /^(.*[^:]):(\d+)$/u.exec(text);
  const host = withPort && !SIX.test(text) ? (withPort[1] ?? "") : text;
  if (withPort && !SIX.test(text) && Number(withPort[2]) > 65_535) return "advanced.problem.port";
  if (SIX.test(host) && host.includes(":")) return null;
  return NAME.test(host) ? null : "advanced.problem.name";
}
