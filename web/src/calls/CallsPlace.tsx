/** Calls: the list, the story of a past one or the keys; a call that goes on takes the whole sheet. */
import { useEffect } from "react";

import { useCall, useRecents } from "../engine/hooks";
import { go } from "../engine/place";
import { Panes } from "../shell/Panes";
import { CallList } from "./CallList";
import { CallWindow } from "./CallWindow";
import { DialPane } from "./DialPane";
import { RecentDetail } from "./RecentDetail";

export default function CallsPlace({ id }: { id: string | null }) {
  const call = useCall(id ?? "");
  const recent = useRecents().find((one) => one.id === id);
  const gone = id !== null && id !== "dial" && !call && !recent;
  useEffect(() => {
    if (gone) go("calls", null, true);
  }, [gone]);
  // What rings is answered on its card; here it would have no controls.
  if (call && call.state !== "ringing_in") return <CallWindow key={call.id} call={call} />;
  return <Panes list={<CallList open={gone ? null : id} />} main={recent ? <RecentDetail key={recent.id} recent={recent} /> : <DialPane back={id === "dial"} />} />;
}
