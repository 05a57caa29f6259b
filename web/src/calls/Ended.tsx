/** After a call: what can be done next, and away. */
import { Call20Filled, Chat20Regular, Dismiss20Regular } from "@fluentui/react-icons";

import { useEngine, useFeatures } from "../engine/hooks";
import { go } from "../engine/place";
import { useDialling } from "../people/useDialling";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import { StageButton } from "./StageButton";
import css from "./window.module.css";

export function Ended({ call }: { call: Call }) {
  const { t } = useTexts();
  const engine = useEngine();
  const features = useFeatures();
  const { barred } = useDialling();
  const { party } = call;
  const to = party.number || party.uri || party.person;
  const chat = async () => {
    engine.phone.forget(call.id);
    go("chats", (await engine.openChat(party.person)).id);
  };
  const again = () => {
    engine.phone.forget(call.id);
    void engine.phone.start(to);
  };
  return (
    <div className={css.controls} role="toolbar" aria-label={t("call.controls")}>
      {party.person && features?.chats && <StageButton icon={<Chat20Regular />} text={t("contact.chat")} onClick={() => void chat()} />}
      {to && !call.parked && <StageButton icon={<Call20Filled />} text={t("call.again")} barred={barred} onClick={again} />}
      <StageButton icon={<Dismiss20Regular />} text={t("close")} onClick={() => engine.phone.forget(call.id)} />
    </div>
  );
}
