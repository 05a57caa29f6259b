import type { MessageId } from "../texts/catalogue";

const group = (title: MessageId, list: string) => ({
  title,
  emoji: list.split("|").map((entry): [string, string] => {
    const at = entry.indexOf(" ");
    return [entry.slice(0, at), entry.slice(at + 1)];
  }),
});

/** Emoji that people at work use, each with words to find it by (the English names of Unicode). */
export const emojiGroups = [
  group(
    "emoji.faces",
    "😀 grinning face|😄 smiling face with open mouth|😁 beaming face|😂 face with tears of joy|🙂 slightly smiling face|😉 winking face|😊 smiling face|😍 heart eyes|😎 cool sunglasses|🤔 thinking face|🤨 raised eyebrow|😐 neutral face|🙄 rolling eyes|😏 smirking face|😅 grinning with sweat|😬 grimacing face|😴 sleeping face|😷 medical mask|🤒 ill thermometer|🥳 partying face|😕 confused face|😟 worried face|😮 surprised open mouth|😢 crying face|😭 loudly crying|😱 screaming in fear|😡 angry pouting face|🤯 exploding head|🤗 hugging face|🤫 shushing face|😇 halo angel|🥱 yawning face",
  ),
  group(
    "emoji.hands",
    "👍 thumbs up|👎 thumbs down|👌 ok hand|✌️ victory hand|🤞 crossed fingers|👏 clapping hands|🙌 raising hands|🙏 folded hands thank you|💪 strong biceps|👋 waving hand|🤝 handshake|✍️ writing hand|👀 eyes|🫡 saluting face|☝️ pointing up|👉 pointing right|👈 pointing left|🤙 call me hand",
  ),
  group(
    "emoji.things",
    "❤️ red heart|💙 blue heart|💚 green heart|🎉 party popper|🎂 birthday cake|☕ hot coffee|🍕 pizza|🍎 apple|🌞 sun|🌧️ rain|❄️ snow|⭐ star|🔥 fire|✅ done check mark|❌ cross mark|⚠️ warning|❓ question mark|❗ exclamation mark|💡 idea light bulb|📌 pin|📎 paper clip|📅 calendar|📞 telephone|📧 e-mail|💻 laptop|🖨️ printer|🔒 locked|🔑 key|🛠️ tools|🐛 bug|🚀 rocket|🚆 train|✈️ airplane|🚗 car|🏠 house|🏢 office building|💰 money|📈 chart increasing|📉 chart decreasing|⏰ alarm clock|⏳ hourglass",
  ),
] as const;
