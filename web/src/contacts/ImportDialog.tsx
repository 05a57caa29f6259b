/** Contacts from a file: first what the file would change, then the change itself, which can be taken back. */
import { Button } from "@fluentui/react-button";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";
import { DocumentArrowUp24Regular } from "@fluentui/react-icons";
import { Spinner } from "@fluentui/react-spinner";
import type { DragEvent } from "react";
import { useRef, useState } from "react";

import { useEngine } from "../engine/hooks";
import { useTexts } from "../texts/texts";
import type { ImportDone, ImportPlan } from "../wire";
import { readBase64 } from "./files";
import css from "./form.module.css";
import { ImportRows } from "./ImportRows";

const LIMIT = 2_000_000;

function Choose({ onFile, onProblem }: { onFile: (file: File) => void; onProblem: (problem: string) => void }) {
  const { t } = useTexts();
  const field = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = (file: File | null | undefined) => {
    if (!file) return;
    if (file.size > LIMIT) onProblem(t("import.tooLarge", { name: file.name }));
    else onFile(file);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files.item(0));
  };
  return (
    <div
      className={css.dropZone}
      data-over={over || undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <DocumentArrowUp24Regular aria-hidden />
      <p>{t("import.drop")}</p>
      <Button appearance="primary" onClick={() => field.current?.click()}>
        {t("import.choose")}
      </Button>
      <input
        ref={field}
        type="file"
        hidden
        aria-label={t("import.choose")}
        accept=".csv,.txt,.xml,.vcf,.vcard,text/csv,text/vcard,text/xml,application/xml"
        onChange={(event) => take(event.target.files?.item(0))}
      />
      <small>{t("import.formats")}</small>
    </div>
  );
}

/** What was done, and the way back. */
function Outcome({ done, undone }: { done: ImportDone; undone: boolean }) {
  const { t } = useTexts();
  if (undone) return <p role="status">{t("import.undone")}</p>;
  return (
    <div role="status" className={css.outcome}>
      <p>{t("import.done", { added: done.added, changed: done.changed })}</p>
      {done.failed.length > 0 && (
        <>
          <p className={css.problem}>{t("import.failed", { count: done.failed.length })}</p>
          <ImportRows rows={done.failed} />
        </>
      )}
    </div>
  );
}

export default function ImportDialog({ onClose }: { onClose: () => void }) {
  const { t, refused, reason, list } = useTexts();
  const engine = useEngine();
  const [plan, setPlan] = useState<ImportPlan | null>(null);
  const [name, setName] = useState("");
  const [without, setWithout] = useState<ReadonlySet<number>>(new Set());
  const [done, setDone] = useState<ImportDone | null>(null);
  const [undone, setUndone] = useState(false);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const doing = async (work: () => Promise<void>) => {
    setBusy(true);
    setProblem("");
    try {
      await work();
    } catch (error) {
      setProblem(error instanceof DOMException ? t("import.unreadable") : refused(error));
    }
    setBusy(false);
  };
  const read = (file: File) =>
    doing(async () => {
      setName(file.name);
      setPlan(await engine.people.read(file.name, await readBase64(file)));
    });
  const changing = (plan?.rows ?? []).filter((row) => row.what === "add" || row.what === "change");
  const wanted = changing.filter((row) => !without.has(row.line));
  const apply = () => doing(async () => setDone(await engine.people.apply(plan?.id ?? "", without.size ? wanted.map((row) => row.line) : null)));
  const undo = () =>
    doing(async () => {
      await engine.people.undo(done?.undo ?? "");
      setUndone(true);
    });
  const toggle = (line: number) => {
    const next = new Set(without);
    if (!next.delete(line)) next.add(line);
    setWithout(next);
  };
  const count = (what: string) => (plan?.rows ?? []).filter((row) => row.what === what).length;
  return (
    <Dialog open modalType={busy ? "alert" : "modal"} onOpenChange={(_, data) => !data.open && onClose()}>
      <DialogSurface className={css.wide}>
        <DialogBody>
          <DialogTitle>{t("import.title")}</DialogTitle>
          <DialogContent className={css.fields}>
            {!plan && !busy && <Choose onFile={(file) => void read(file)} onProblem={setProblem} />}
            {busy && <Spinner size="small" label={t(plan ? "import.applying" : "import.reading")} />}
            {plan && !done && !busy && (
              <>
                <p>
                  {t("import.plan", { name, add: count("add"), change: count("change"), same: count("same"), refused: count("refused") })}
                </p>
                {plan.groups.length > 0 && <p className={css.hint}>{t("import.groups", { groups: list(plan.groups) })}</p>}
                {plan.lost.length > 0 && (
                  <ul className={css.lost}>
                    {plan.lost.map((lost, at) => (
                      <li key={at}>{reason(lost)}</li>
                    ))}
                  </ul>
                )}
                <ImportRows rows={plan.rows} without={without} onToggle={toggle} />
              </>
            )}
            {done && !busy && <Outcome done={done} undone={undone} />}
            {problem && (
              <p role="alert" className={css.problem}>
                {problem}
              </p>
            )}
          </DialogContent>
          <DialogActions fluid>
            {plan && !done && (
              <Button disabled={busy} onClick={() => setPlan(null)}>
                {t("import.another")}
              </Button>
            )}
            {done && !undone && (
              <Button disabled={busy} onClick={() => void undo()}>
                {t("import.undo")}
              </Button>
            )}
            {done ? (
              <Button appearance="primary" disabled={busy} onClick={onClose}>
                {t("close")}
              </Button>
            ) : (
              <Button onClick={onClose}>{t("cancel")}</Button>
            )}
            {plan && !done && (
              <Button appearance="primary" disabledFocusable={busy || !wanted.length} onClick={() => void apply()}>
                {t("import.apply", { count: wanted.length })}
              </Button>
            )}
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
