import { useEffect, useState } from "react";

import { useCanCall, useEngine } from "../engine/hooks";
import type { Texts } from "../texts/texts";
import type { NumberPlan } from "../wire";

/** A number as people write it, or an address: what could be called. */
export const looksDialable = (text: string): boolean => /^[+\d*#(][\d\s()/.*#-]*$/u.test(text) || /^(?:sips?:|tel:)?[^\s@]+@[^\s@]+$/u.test(text);

/** What a text would dial; null while it is not known. */
export function usePlan(text: string): NumberPlan | null {
  const engine = useEngine();
  const can = useCanCall();
  const wanted = text.trim();
  const [plan, setPlan] = useState<{ text: string; plan: NumberPlan } | null>(null);
  const asked = can && looksDialable(wanted);
  useEffect(() => {
    if (!asked) return undefined;
    let current = true;
    const timer = window.setTimeout(() => {
      // Without an answer the text itself is dialled, and what is wrong with it is said then.
      engine.phone.plan(wanted).then((got) => current && setPlan({ text: wanted, plan: got }), () => undefined);
    }, 60);
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [engine, asked, wanted]);
  return asked && plan?.text === wanted ? plan.plan : null;
}

/** Which rule made what is dialled of what was typed; or why it can't be dialled. */
export function planWords(texts: Texts, text: string, plan: NumberPlan | null): string {
  if (!plan) return "";
  const { t, reason } = texts;
  if (plan.emergency) return t("call.emergency");
  const why = plan.why.map((one) => reason(one)).join(" ");
  if (!plan.dials) return why || t("dial.cannot");
  const same = plan.dials.replace(/\D/gu, "") === text.replace(/\D/gu, "");
  return [same ? "" : t("dial.dials", { number: plan.dials }), why].filter(Boolean).join(" · ");
}
