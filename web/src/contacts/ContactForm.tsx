/** A contact made by hand, from a bare number or address too; and changing one that was made so. */
import { Button } from "@fluentui/react-button";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";
import { Field } from "@fluentui/react-field";
import { Add16Regular, Dismiss16Regular } from "@fluentui/react-icons";
import { Input } from "@fluentui/react-input";
import { Select } from "@fluentui/react-select";
import type { FormEvent } from "react";
import { useState } from "react";

import { useEngine, useGroups } from "../engine/hooks";
import { go } from "../engine/place";
import { useAnnounce } from "../parts/announce";
import { IconButton } from "../parts/IconButton";
import { useTexts } from "../texts/texts";
import type { Number as PhoneNumber, Person } from "../wire";
import css from "./form.module.css";
import { FAVOURITES, groupName } from "./groups";

type Kind = PhoneNumber["kind"];
interface Row {
  kind: Kind;
  value: string;
}

/** What is known already: of somebody who called, or of the contact to change. */
export interface FormStart {
  person?: Person;
  name?: string;
  number?: string;
  /** The place stays: the person becomes known where he or she is seen. */
  stay?: boolean;
}

const KINDS: readonly Kind[] = ["work", "mobile", "home", "other", "pager", "fax"];

function Numbers({ rows, onChange }: { rows: readonly Row[]; onChange: (rows: readonly Row[]) => void }) {
  const { t } = useTexts();
  const set = (at: number, change: Partial<Row>) => onChange(rows.map((row, index) => (index === at ? { ...row, ...change } : row)));
  return (
    <fieldset className={css.numbers}>
      <legend>{t("contact.numbers.only")}</legend>
      {rows.map((row, at) => (
        <div key={at}>
          <Select aria-label={t("form.kind")} value={row.kind} onChange={(_, data) => set(at, { kind: data.value as Kind })}>
            {KINDS.map((kind) => (
              <option key={kind} value={kind}>
                {t(`number.${kind}`)}
              </option>
            ))}
          </Select>
          <Input aria-label={t("form.number")} type="tel" dir="ltr" value={row.value} maxLength={64} onChange={(_, data) => set(at, { value: data.value })} />
          <IconButton icon={<Dismiss16Regular />} label={t("form.numberAway")} onClick={() => onChange(rows.filter((_, index) => index !== at))} />
        </div>
      ))}
      <Button appearance="subtle" size="small" icon={<Add16Regular />} onClick={() => onChange([...rows, { kind: "mobile", value: "" }])}>
        {t("form.numberAdd")}
      </Button>
    </fieldset>
  );
}

export default function ContactForm({ start, onClose }: { start: FormStart; onClose: () => void }) {
  const texts = useTexts();
  const { t, refused } = texts;
  const engine = useEngine();
  const announce = useAnnounce();
  const groups = useGroups();
  const { person } = start;
  const [name, setName] = useState(person?.name ?? start.name ?? "");
  const [title, setTitle] = useState(person?.title ?? "");
  const [company, setCompany] = useState(person?.company ?? "");
  const [mail, setMail] = useState(person?.mail ?? "");
  const [address, setAddress] = useState(person?.chat ?? "");
  const [rows, setRows] = useState<readonly Row[]>(person?.numbers ?? [{ kind: "work", value: start.number ?? "" }]);
  const [group, setGroup] = useState(person?.groups.find((one) => one !== FAVOURITES) ?? "");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const numbers = rows.map(({ kind, value }) => ({ kind, value: value.trim() })).filter((row) => row.value);
  const reached = numbers.length > 0 || mail.trim() || address.trim();
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (!name.trim() || !reached) return;
    setBusy(true);
    setProblem("");
    const others = (person?.groups ?? []).filter((one) => one === FAVOURITES);
    try {
      const card = await engine.people.save({
        ...{ person: person?.id ?? "", name: name.trim(), title: title.trim(), company: company.trim(), mail: mail.trim() },
        ...{ address: address.trim(), numbers, groups: [...others, ...(group ? [group] : [])] },
      });
      announce(t("form.saved", { name: card.person.name }));
      onClose();
      if (!start.stay) go("contacts", card.person.id);
    } catch (error) {
      setProblem(refused(error));
      setBusy(false);
    }
  };
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && onClose()}>
      <DialogSurface className={css.surface}>
        <form onSubmit={(event) => void save(event)}>
          <DialogBody>
            <DialogTitle>{t(person ? "form.change" : "form.new")}</DialogTitle>
            <DialogContent className={css.fields}>
              <Field label={t("form.name")} required>
                {/* eslint-disable-next-line jsx-a11y/no-autofocus -- the first thing to do in a dialog that was just opened */}
                <Input value={name} autoFocus autoComplete="off" maxLength={120} onChange={(_, data) => setName(data.value)} />
              </Field>
              <Numbers rows={rows} onChange={setRows} />
              <div className={css.pair}>
                <Field label={t("contact.mail")}>
                  <Input type="email" dir="ltr" value={mail} autoComplete="off" maxLength={200} onChange={(_, data) => setMail(data.value)} />
                </Field>
                <Field label={t("contact.address")}>
                  <Input dir="ltr" value={address} autoComplete="off" maxLength={200} onChange={(_, data) => setAddress(data.value)} />
                </Field>
                <Field label={t("form.title")}>
                  <Input value={title} autoComplete="off" maxLength={120} onChange={(_, data) => setTitle(data.value)} />
                </Field>
                <Field label={t("contact.company")}>
                  <Input value={company} autoComplete="off" maxLength={120} onChange={(_, data) => setCompany(data.value)} />
                </Field>
              </div>
              <Field label={t("contact.group")}>
                <Select value={group} onChange={(_, data) => setGroup(data.value)}>
                  <option value="">{t("contacts.ungrouped")}</option>
                  {groups
                    .filter((one) => one !== FAVOURITES)
                    .map((one) => (
                      <option key={one} value={one}>
                        {groupName(texts, one)}
                      </option>
                    ))}
                </Select>
              </Field>
              {!reached && <p className={css.hint}>{t("form.reach")}</p>}
              {problem && (
                <p role="alert" className={css.problem}>
                  {problem}
                </p>
              )}
            </DialogContent>
            <DialogActions>
              <Button onClick={onClose}>{t("cancel")}</Button>
              <Button appearance="primary" type="submit" disabledFocusable={busy || !name.trim() || !reached}>
                {t("save")}
              </Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}
