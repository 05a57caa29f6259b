import type { MessageId } from "../texts/catalogue";

/** Which keys do what, for the list that `?` opens. */
export const keyGroups: readonly { title: MessageId; keys: readonly (readonly [string, MessageId])[] }[] = [
  {
    title: "keys.everywhere",
    keys: [
      ["Ctrl K · /", "keys.search"],
      ["Ctrl Shift 1…4", "keys.places"],
      ["F6 · Shift F6", "keys.panes"],
      ["Alt ↑ · Alt ↓", "keys.chats"],
      ["Alt Shift ↑ · Alt Shift ↓", "keys.unread"],
      ["Alt C", "keys.newChat"],
      ["Alt I", "keys.person"],
      ["Alt Y", "keys.answer"],
      ["Alt N", "keys.decline"],
      ["Alt M", "keys.mute"],
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
  {
    title: "keys.inContacts",
    keys: [
      ["↑ · ↓", "keys.move"],
      ["Ctrl Shift ↑ · Ctrl Shift ↓", "keys.arrange"],
    ],
  },
  {
    title: "keys.inSearch",
    keys: [
      ["↑ · ↓", "keys.choose"],
      ["Enter", "keys.open"],
      ["Shift Enter", "keys.card"],
      ["Ctrl Enter", "keys.call"],
      ["Tab", "keys.tools"],
    ],
  },
  {
    title: "keys.inCall",
    keys: [
      ["M", "keys.mute"],
      ["V", "keys.video"],
      ["H", "keys.hold"],
      ["T", "keys.transfer"],
      ["K", "keys.keypad"],
      ["Q", "keys.quality"],
      ["Shift E", "keys.end"],
      ["0…9 · * · #", "keys.tones"],
    ],
  },
];
