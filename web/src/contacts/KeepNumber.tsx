/** An unknown number becomes a contact: offered wherever one is seen. */
import { Button } from "@fluentui/react-button";
import { PersonAdd20Regular } from "@fluentui/react-icons";
import { lazy, Suspense, useState } from "react";

import { useTexts } from "../texts/texts";
import type { Party } from "../wire";

const ContactForm = lazy(() => import("./ContactForm"));

/** Somebody whom no directory and no contact list knows, but who can be called again. */
export const isStranger = (party: Party): boolean => !party.person && !party.emergency && Boolean(party.number || party.uri);

/** The dialog for a party; `onClose` once it is saved or given up. */
export function KeepDialog({ party, onClose }: { party: Party; onClose: () => void }) {
  return (
    <Suspense fallback={null}>
      <ContactForm start={{ name: party.name, number: party.number || party.uri, stay: true }} onClose={onClose} />
    </Suspense>
  );
}

export function KeepNumber({ party, className }: { party: Party; className?: string | undefined }) {
  const { t } = useTexts();
  const [open, setOpen] = useState(false);
  if (!isStranger(party) && !open) return null;
  return (
    <>
      {className ? (
        <button type="button" className={className} onClick={() => setOpen(true)}>
          <PersonAdd20Regular aria-hidden />
          {t("contact.keepShort")}
        </button>
      ) : (
        <Button icon={<PersonAdd20Regular />} onClick={() => setOpen(true)}>
          {t("contact.keepShort")}
        </Button>
      )}
      {open && <KeepDialog party={party} onClose={() => setOpen(false)} />}
    </>
  );
}
