import type { MessageId } from "../texts/catalogue";
import type { Texts } from "../texts/texts";

const names: Readonly<Record<string, MessageId>> = {
  messages: "service.messages",
  contacts: "service.contacts",
  directory: "service.directory",
  configuration: "service.configuration",
  phone: "service.phone",
  calls: "service.phone",
  voicemail: "service.voicemail",
};

/** What a service is to a person. */
export function serviceName(texts: Texts, id: string): string {
  const name = names[id];
  return name ? texts.t(name) : id;
}
