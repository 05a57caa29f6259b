/** Contacts: one's own groups, who is available, the directory; and the card of a person. */
import { People24Regular } from "@fluentui/react-icons";

import { Empty } from "../parts/Empty";
import { Panes } from "../shell/Panes";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import { ContactCard } from "./ContactCard";
import { ContactList } from "./ContactList";

export default function ContactsPlace({ id }: { id: string | null }) {
  const { t } = useTexts();
  return (
    <Panes
      list={<ContactList open={id} />}
      main={
        id ? (
          <ContactCard key={id} id={id} />
        ) : (
          <main className={shell.main} id="main" tabIndex={-1} data-pane="main">
            <Empty icon={<People24Regular />} title={t("contacts.choose")} help={t("contacts.choose.help")} />
          </main>
        )
      }
    />
  );
}
