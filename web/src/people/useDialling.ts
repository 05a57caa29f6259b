/** Whether calls are offered, and why they can't be made from where one is: every control that calls reads it here. */
import { useCallsMissing, useCanCall } from "../engine/hooks";
import { useTexts } from "../texts/texts";

export interface Dialling {
  /** Whether this person has a phone here: only then calls are offered. */
  can: boolean;
  /** Why calls, though they are offered, can't be made from here; empty where they can. */
  barred: string;
  /** What marks their controls then: still to be reached, calm (theme/base.css), with the reason as description. */
  marks: { "aria-disabled"?: true; "data-missing"?: true; title?: string };
}

export function useDialling(): Dialling {
  const can = useCanCall();
  const barred = useTexts().reason(useCallsMissing());
  return { can, barred, marks: barred ? { "aria-disabled": true, "data-missing": true, title: barred } : {} };
}
