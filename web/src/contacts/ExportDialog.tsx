/** The contact list as a file: which form, and which groups. */
import { Button } from "@fluentui/react-button";
import { Checkbox } from "@fluentui/react-checkbox";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";
import { useState } from "react";

import { useEngine, useGroups } from "../engine/hooks";
import type { ContactFormat } from "../engine/people";
import { useTexts } from "../texts/texts";
import type { ExportedContacts } from "../wire";
import { saveBase64 } from "./files";
import css from "./form.module.css";
import { groupName } from "./groups";

const FORMATS: readonly ContactFormat[] = ["csv", "vcard", "xml"];

function Outcome({ done }: { done: ExportedContacts }) {
  const { t, reason } = useTexts();
  return (
    <div role="status" className={css.outcome}>
      <p>{t("export.done", { count: done.people, name: done.name })}</p>
      {done.lost.map((lost, at) => (
        <p key={at} className={css.hint}>
          {reason(lost)}
        </p>
      ))}
    </div>
  );
}

export default function ExportDialog({ onClose }: { onClose: () => void }) {
  const texts = useTexts();
  const { t, refused } = texts;
  const engine = useEngine();
  const groups = useGroups();
  const [format, setFormat] = useState<ContactFormat>("csv");
  const [without, setWithout] = useState<readonly string[]>([]);
  const [done, setDone] = useState<ExportedContacts | null>(null);
  const [problem, setProblem] = useState("");
  const chosen = groups.filter((group) => !without.includes(group));
  const save = async () => {
    setProblem("");
    try {
      const file = await engine.people.export(format, without.length ? chosen : null);
      saveBase64(file.name, file.kind, file.data);
      setDone(file);
    } catch (error) {
      setProblem(refused(error));
    }
  };
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && onClose()}>
      <DialogSurface className={css.surface}>
        <DialogBody>
          <DialogTitle>{t("export.title")}</DialogTitle>
          <DialogContent className={css.fields}>
            <fieldset className={css.choice}>
              <legend>{t("export.format")}</legend>
              {FORMATS.map((one) => (
                <div key={one} className={css.option}>
                  <input type="radio" name="format" id={`format-${one}`} checked={one === format} onChange={() => setFormat(one)} aria-describedby={`format-${one}-for`} />
                  <label htmlFor={`format-${one}`}>{t(`format.${one}`)}</label>
                  <small id={`format-${one}-for`}>{t(`format.${one}.for`)}</small>
                </div>
              ))}
            </fieldset>
            {groups.length > 0 && (
              <fieldset className={css.choice}>
                <legend>{t("export.groups")}</legend>
                {groups.map((group) => (
                  <Checkbox
                    key={group}
                    label={groupName(texts, group)}
                    checked={!without.includes(group)}
                    onChange={(_, data) => setWithout(data.checked ? without.filter((one) => one !== group) : [...without, group])}
                  />
                ))}
                {without.length > 0 && <p className={css.hint}>{t("export.onlyGroups")}</p>}
              </fieldset>
            )}
            {done && <Outcome done={done} />}
            {problem && (
              <p role="alert" className={css.problem}>
                {problem}
              </p>
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={onClose}>{t("close")}</Button>
            <Button appearance="primary" disabledFocusable={groups.length > 0 && !chosen.length} onClick={() => void save()}>
              {t("export.save")}
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
