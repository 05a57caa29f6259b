/** What came of a call, as a glyph beside its word. */
import {
  ArrowForward16Regular,
  CallDismiss16Regular,
  CallInbound16Regular,
  CallMissed16Regular,
  CallOutbound16Regular,
  Phone16Regular,
  Voicemail16Regular,
} from "@fluentui/react-icons";
import type { ReactElement } from "react";

import type { Recent } from "../wire";

const inward: Record<Recent["result"], ReactElement> = {
  answered: <CallInbound16Regular aria-hidden />,
  missed: <CallMissed16Regular aria-hidden />,
  declined: <CallDismiss16Regular aria-hidden />,
  elsewhere: <Phone16Regular aria-hidden />,
  busy: <CallDismiss16Regular aria-hidden />,
  unanswered: <CallMissed16Regular aria-hidden />,
  failed: <CallDismiss16Regular aria-hidden />,
  diverted: <Voicemail16Regular aria-hidden />,
};

export const glyphOf = (recent: Recent): ReactElement =>
  recent.direction === "in" ? inward[recent.result] : recent.result === "diverted" ? <ArrowForward16Regular className="flip" aria-hidden /> : <CallOutbound16Regular aria-hidden />;
