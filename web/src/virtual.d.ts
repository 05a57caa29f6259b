declare module "virtual:messages/*" {
  import type { MessageFormatElement } from "@formatjs/icu-messageformat-parser";
  const messages: Record<string, MessageFormatElement[]>;
  export default messages;
}
declare module "virtual:reasons/*" {
  import type { MessageFormatElement } from "@formatjs/icu-messageformat-parser";
  const messages: Record<string, MessageFormatElement[]>;
  export default messages;
}
declare module "*.module.css" {
  const classes: Readonly<Record<string, string>>;
  export default classes;
}
