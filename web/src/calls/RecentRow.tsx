/** A past call in the list: who, what came of it with a glyph and a word, when. */
import { Menu, MenuItem, MenuList, MenuPopover, MenuTrigger } from "@fluentui/react-menu";
import type { MouseEvent } from "react";
import { memo, useState } from "react";

import { isStranger, KeepDialog } from "../contacts/KeepNumber";
import { useEngine, useFeatures, usePerson } from "../engine/hooks";
import { go, placePath } from "../engine/place";
import { presenceSentence } from "../parts/presenceWords";
import { useCopy } from "../parts/useCopy";
import { presenceOf } from "../people/presenceOf";
import { useDialling } from "../people/useDialling";
import { useChatWith } from "../people/useWays";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Recent } from "../wire";
import css from "./calls.module.css";
import type { Fold } from "./folding";
import { glyphOf } from "./glyphs";
import { PartyFace } from "./PartyFace";
import { partyName, resultOf } from "./words";

function Actions({ recent, onKeep }: { recent: Recent; onKeep: () => void }) {
  const texts = useTexts();
  const { t } = texts;
  const engine = useEngine();
  const { can, marks } = useDialling();
  const features = useFeatures();
  const copy = useCopy();
  const { party } = recent;
  const to = party.number || party.uri || party.person;
  const chatting = useChatWith(party.person);
  const chat = async () => go("chats", (await engine.openChat(party.person)).id);
  return (
    <MenuPopover>
      <MenuList>
        {can && to && <MenuItem {...marks} onClick={() => void engine.phone.start(to)}>{t("call.back")}</MenuItem>}
        {can && to && features?.video && <MenuItem {...marks} onClick={() => void engine.phone.start(to, true)}>{t("call.video.long")}</MenuItem>}
        {chatting && features?.chats && <MenuItem onClick={() => void chat()}>{t("contact.chat")}</MenuItem>}
        {party.person && <MenuItem onClick={() => go("contacts", party.person)}>{t("contact.show")}</MenuItem>}
        {isStranger(party) && <MenuItem onClick={onKeep}>{t("contact.keepShort")}</MenuItem>}
        {to && <MenuItem onClick={() => copy(party.shown || to)}>{t("copyValue", { value: party.shown || to })}</MenuItem>}
        <MenuItem onClick={() => void engine.phone.remove(recent.id)}>{t("recent.remove")}</MenuItem>
      </MenuList>
    </MenuPopover>
  );
}

export const RecentRow = memo(function RecentRow({ fold, current }: { fold: Fold; current: boolean }) {
  const texts = useTexts();
  const { newest } = fold;
  const [keep, setKeep] = useState(false);
  const person = usePerson(newest.party.person);
  const presence = person ? presenceOf(person) : null;
  const name = person?.name ?? partyName(texts, newest.party);
  const result = resultOf(texts, newest, fold.times);
  const missed = newest.result === "missed";
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go("calls", newest.id);
  };
  return (
    <>
      <Menu openOnContext>
        <MenuTrigger disableButtonEnhancement>
          <a
            href={placePath("calls", newest.id)}
            className={shell.row}
            aria-current={current || undefined}
            aria-label={[name, presence ? presenceSentence(texts, presence) : "", result, texts.moment(newest.at)].filter(Boolean).join(", ")}
            data-unread={fold.unseen || undefined}
            onClick={open}
          >
            <PartyFace party={newest.party} presence />
            <span className={shell.lines}>
              <span className={`${shell.name ?? ""} ${(missed && css.missed) || ""}`}>
                <bdi title={name}>{name}</bdi>
              </span>
              <span className={`${shell.second ?? ""} ${css.result ?? ""}`} data-missed={missed || undefined}>
                {glyphOf(newest)}
                <span>{result}</span>
              </span>
            </span>
            <span className={shell.ends}>
              <time dateTime={newest.at}>{texts.clock(newest.at)}</time>
            </span>
          </a>
        </MenuTrigger>
        <Actions recent={newest} onKeep={() => setKeep(true)} />
      </Menu>
      {keep && <KeepDialog party={newest.party} onClose={() => setKeep(false)} />}
    </>
  );
});
