import type { MessageId } from "../texts/catalogue";

/** Which keys do what, for the list that `?` opens. */
export const keyGroups: readonly { title: MessageId; keys: readonly (readonly [string, MessageId])[] }[] = [
  {
    title: "keys.everywhere",
    keys: [
      ["Ctrl K · /", "keys.search"],
      ["Ctrl Shift 1…3", "keys.places"],
      ["F6 · Shift F6", "keys.panes"],
      ["Alt ↑ · Alt ↓", "keys.chats"],
      ["Alt Shift ↑ · Alt Shift ↓", "keys.unread"],
      ["Alt C", "keys.newChat"],
      ["?", "keys.help"],
    ],
  },
  {
    title: "keys.composer",
    keys: [
      ["Enter", "keys.send"],
      ["Shift Enter", "keys.newLine"],
    ],
  },
  {
    title: "keys.messages",
    keys: [
      ["↑ · ↓", "keys.move"],
      ["Home · End", "keys.ends"],
    ],
  },
];
