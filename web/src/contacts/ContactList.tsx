/** The list of contacts with its filters, and those who ask to see one's presence. */
import { Button } from "@fluentui/react-button";
import { MoreHorizontal20Regular, People24Regular, PersonAdd20Regular } from "@fluentui/react-icons";
import { Menu, MenuDivider, MenuItem, MenuList, MenuPopover, MenuTrigger } from "@fluentui/react-menu";
import { lazy, Suspense, useMemo, useState } from "react";

import { useEngine, useFeatures, useGroups, useOrders, usePeople, useServices } from "../engine/hooks";
import { Bones } from "../parts/Bones";
import { Chips } from "../parts/Chips";
import { Empty } from "../parts/Empty";
import { IconButton } from "../parts/IconButton";
import { TextDialog } from "../parts/TextDialog";
import { useArrowKeys } from "../parts/useArrowKeys";
import { ListPane } from "../shell/ListPane";
import shell from "../shell/shell.module.css";
import { useTexts } from "../texts/texts";
import type { Person } from "../wire";
import { AddContactDialog } from "./AddContactDialog";
import { ContactRow } from "./ContactRow";
import { DirectoryList } from "./DirectoryList";
import { groupPeople, isAvailable } from "./groups";
import { GroupSection } from "./GroupSection";
import { Requests } from "./Requests";
import { useArranging } from "./useArranging";

const ContactForm = lazy(() => import("./ContactForm"));
const ImportDialog = lazy(() => import("./ImportDialog"));
const ExportDialog = lazy(() => import("./ExportDialog"));

type Filter = "list" | "available" | "directory";

function Nobody({ onAdd }: { onAdd: () => void }) {
  const { t } = useTexts();
  const coming = useServices().some((service) => service.id === "contacts" && service.state === "connecting");
  if (coming) return <Bones />;
  return (
    <Empty
      icon={<People24Regular />}
      title={t("contacts.none")}
      help={t("contacts.none.help")}
      action={
        <Button appearance="primary" onClick={onAdd}>
          {t("contact.add")}
        </Button>
      }
    />
  );
}

function Listed({ people, open, onAdd }: { people: readonly Person[]; open: string | null; onAdd: () => void }) {
  const names = useGroups();
  const orders = useOrders();
  const groups = useMemo(() => groupPeople(people, names, orders), [people, names, orders]);
  const arranging = useArranging(groups);
  const arrows = useArrowKeys<HTMLDivElement>();
  if (!groups.length) return <Nobody onAdd={onAdd} />;
  return (
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions -- what happens here happens to its rows
    <div
      {...arrows}
      {...arranging.drag}
      onKeyDown={(event) => {
        if (!arranging.onKeyDown(event)) arrows.onKeyDown(event);
      }}
    >
      {groups.map((group) => (
        <GroupSection key={group.name} group={group} open={open} step={arranging.step} />
      ))}
    </div>
  );
}

type Dialog = "" | "add" | "form" | "group" | "import" | "export";

function ListMenu({ onChoose }: { onChoose: (dialog: Dialog) => void }) {
  const { t } = useTexts();
  return (
    <Menu positioning="below-end">
      <MenuTrigger disableButtonEnhancement>
        <button type="button" className={shell.more} aria-label={t("contacts.menu")}>
          <MoreHorizontal20Regular aria-hidden />
        </button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          <MenuItem onClick={() => onChoose("group")}>{t("group.new")}</MenuItem>
          <MenuItem onClick={() => onChoose("form")}>{t("form.byHand")}</MenuItem>
          <MenuDivider />
          <MenuItem onClick={() => onChoose("import")}>{t("import.menu")}</MenuItem>
          <MenuItem onClick={() => onChoose("export")}>{t("export.menu")}</MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}

export function ContactList({ open }: { open: string | null }) {
  const { t } = useTexts();
  const engine = useEngine();
  const people = usePeople();
  const features = useFeatures();
  const [filter, setFilter] = useState<Filter>("list");
  const [dialog, setDialog] = useState<Dialog>("");
  const arrows = useArrowKeys<HTMLDivElement>();
  const close = () => setDialog("");
  const available = useMemo(
    () => people.filter((person) => person.in_list && isAvailable(person)).sort((a, b) => a.name.localeCompare(b.name)),
    [people],
  );
  return (
    <ListPane title="contacts-title" alone={open === null}>
      <div className={shell.head}>
        <h1 id="contacts-title">{t("place.contacts")}</h1>
        <IconButton icon={<PersonAdd20Regular />} label={t("contact.add")} onClick={() => setDialog("add")} />
        <ListMenu onChoose={setDialog} />
      </div>
      <Chips<Filter>
        label={t("filter")}
        chips={[
          { id: "list", text: t("contacts.list") },
          { id: "available", text: t("contacts.available"), count: available.length },
          ...(features?.directory ? [{ id: "directory" as const, text: t("contacts.directory") }] : []),
        ]}
        chosen={filter}
        onChoose={setFilter}
      />
      <div className={shell.scroll}>
        <Requests people={people} />
        {filter === "list" && <Listed people={people} open={open} onAdd={() => setDialog("add")} />}
        {filter === "available" && (
          <div {...arrows}>
            {available.map((person) => (
              <ContactRow key={person.id} person={person} current={person.id === open} />
            ))}
            {!available.length && <Empty icon={<People24Regular />} title={t("contacts.noneAvailable")} help={t("contacts.noneAvailable.help")} />}
          </div>
        )}
        {filter === "directory" && <DirectoryList open={open} />}
      </div>
      {dialog === "add" && <AddContactDialog onClose={close} />}
      {dialog === "group" && <TextDialog title={t("group.new")} label={t("contact.groupName")} value="" onClose={close} onDone={(name) => engine.people.addGroup(name)} />}
      <Suspense fallback={null}>
        {dialog === "form" && <ContactForm start={{}} onClose={close} />}
        {dialog === "import" && <ImportDialog onClose={close} />}
        {dialog === "export" && <ExportDialog onClose={close} />}
      </Suspense>
    </ListPane>
  );
}
