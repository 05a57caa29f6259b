/** The phone's state in a sentence, with why. Nothing where it is ready and nothing is to be said. */
import { useState } from "react";

import { useSoftphone } from "../engine/hooks";
import { Notice } from "../parts/Notice";
import { WhyButton, WhyCard } from "../parts/Why";
import { useTexts } from "../texts/texts";

export function PhoneState() {
  const { t, reason } = useTexts();
  const phone = useSoftphone();
  const [why, setWhy] = useState(false);
  if (!phone || phone.state === "registered") return null;
  const lines = phone.reasons.map((one) => ({ said: reason(one) }));
  return (
    <div>
      <Notice kind="warning" title={t(`phone.${phone.state}`)} text={reason(phone.text)}>
        {lines.length > 0 && <WhyButton open={why} onToggle={() => setWhy(!why)} />}
      </Notice>
      {why && <WhyCard title={t("phone.why")} lines={lines} onClose={() => setWhy(false)} />}
    </div>
  );
}
