/** The report for an IT department, as text: the fault and every line of the trace. It holds no password, token or message. */
import type { Texts } from "../texts/texts";
import type { Entry, SignIn } from "../wire";

const line = (texts: Texts, entry: Entry): string =>
  [
    `${entry.at.toFixed(2).padStart(7)} s  ${texts.t(`trace.${entry.kind}`)}: ${texts.reason(entry.text)}`,
    entry.question && `           ${entry.question}${entry.server ? ` @ ${entry.server}` : ""}`,
    entry.answer && `           ${texts.t("trace.answer")}: ${entry.answer}`,
    ...entry.reasons.map((reason) => `           ${texts.reason(reason)}`),
  ]
    .filter(Boolean)
    .join("\n");

export function makeReport(texts: Texts, signIn: SignIn | null, trace: readonly Entry[]): string {
  const fault = signIn?.fault;
  return [
    `Ringback · ${signIn?.address ?? ""}`,
    ...(fault ? [texts.reason(fault.what), texts.reason(fault.why), texts.reason(fault.do_then), fault.change] : []),
    "",
    ...trace.map((entry) => line(texts, entry)),
  ].join("\n");
}

/** Offer a text as a file. */
export function saveFile(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
