/** A call that goes on, in the list. */
import { Call16Filled } from "@fluentui/react-icons";
import type { MouseEvent } from "react";

import { go, placePath } from "../engine/place";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Call } from "../wire";
import css from "./calls.module.css";
import { PartyFace } from "./PartyFace";
import { useSeconds } from "./useSeconds";
import { callName, clockOf, secondsOf, stateOf } from "./words";

export function LiveRow({ call }: { call: Call }) {
  const texts = useTexts();
  const now = useSeconds(call.answered !== null);
  const name = callName(texts, call);
  const state = stateOf(texts, call) || texts.t("call.active");
  const open = (event: MouseEvent) => {
    event.preventDefault();
    go("calls", call.id);
  };
  return (
    <a href={placePath("calls", call.id)} className={shell.row} aria-label={[name, state].join(", ")} onClick={open}>
      <PartyFace party={call.party} conference={call.conference} />
      <span className={shell.lines}>
        <span className={shell.name}>
          <bdi title={name}>{name}</bdi>
        </span>
        <span className={`${shell.second ?? ""} ${css.result ?? ""} ${css.live ?? ""}`}>
          <Call16Filled aria-hidden />
          <span>{state}</span>
        </span>
      </span>
      <span className={shell.ends}>{call.answered && <time>{clockOf(secondsOf(call, now))}</time>}</span>
    </a>
  );
}
