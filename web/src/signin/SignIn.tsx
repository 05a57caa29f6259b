/** The way in: which card is shown is decided here, from the phase that the host tells and what the person opened. */
import { useEffect, useState } from "react";

import { useTexts } from "../texts/texts";
import css from "./card.module.css";
import type { SignIn as SignInState } from "../wire";
import { AddressCard } from "./AddressCard";
import { AdvancedCard } from "./AdvancedCard";
import { BrowserCard } from "./BrowserCard";
import { CertificateCard } from "./CertificateCard";
import { FailureCard } from "./FailureCard";
import { Frame } from "./Frame";
import { PasswordCard } from "./PasswordCard";
import { ProgressCard } from "./ProgressCard";
import { SignedOut } from "./SignedOut";
import { TraceView } from "./TraceView";

type Opened = "" | "trace" | "advanced";

export default function SignIn({ signIn }: { signIn: SignInState }) {
  const { t } = useTexts();
  const [opened, setOpened] = useState<Opened>("");
  const [address, setAddress] = useState(signIn.address);
  const close = () => setOpened("");
  useEffect(() => {
    document.title = `${t("signin.title")} · Ringback`;
  }, [t]);

  const card = () => {
    if (opened === "trace") return <TraceView signIn={signIn} onBack={close} />;
    if (opened === "advanced") return <AdvancedCard signIn={signIn} address={address || signIn.address} onBack={close} />;
    if (signIn.certificate) return <CertificateCard question={signIn.certificate} />;
    switch (signIn.phase) {
      case "finding":
      case "connecting":
        return <ProgressCard signIn={signIn} onTrace={() => setOpened("trace")} />;
      case "credentials":
        return signIn.asks === "browser" ? <BrowserCard signIn={signIn} onTrace={() => setOpened("trace")} /> : <PasswordCard signIn={signIn} onTrace={() => setOpened("trace")} />;
      case "failed":
        return <FailureCard signIn={signIn} onTrace={() => setOpened("trace")} onAdvanced={() => setOpened("advanced")} />;
      default:
        return <AddressCard signIn={signIn} address={address} onAddress={setAddress} onAdvanced={() => setOpened("advanced")} />;
    }
  };
  const out = opened === "" && (signIn.phase === "address" || signIn.phase === "credentials") ? signIn.signed_out : null;
  return (
    <Frame wide={opened === "trace"}>
      {out ? (
        <div className={css.stack}>
          <SignedOut why={out} />
          {card()}
        </div>
      ) : (
        card()
      )}
    </Frame>
  );
}
