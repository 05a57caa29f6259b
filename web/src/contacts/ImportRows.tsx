/** The contacts of a file, each with what will become of it and why; those that would change something can be left out. */
import { Checkbox } from "@fluentui/react-checkbox";
import { VList } from "virtua";

import { useTexts } from "../texts/texts";
import type { ImportRow } from "../wire";
import css from "./form.module.css";

const ROW = 58;
const MOST = 320;

interface Props {
  rows: readonly ImportRow[];
  without?: ReadonlySet<number>;
  onToggle?: (line: number) => void;
}

function Row({ row, without, onToggle }: { row: ImportRow } & Omit<Props, "rows">) {
  const { t, reason } = useTexts();
  const changes = row.what === "add" || row.what === "change";
  const where = [row.address || row.number, ...row.groups].filter(Boolean).join(" · ");
  return (
    <div className={css.importRow} data-what={row.what}>
      {onToggle && (
        <Checkbox
          aria-label={t("import.take", { name: row.name || row.address || row.number })}
          checked={changes && !without?.has(row.line)}
          disabled={!changes}
          onChange={() => onToggle(row.line)}
        />
      )}
      <div>
        <bdi>{row.name || row.address || row.number}</bdi>
        <small title={row.reasons.map((one) => reason(one)).join(" ")}>{row.reasons.map((one) => reason(one)).join(" ") || where}</small>
      </div>
      <span>{t(`import.what.${row.what}`)}</span>
    </div>
  );
}

export function ImportRows({ rows, without, onToggle }: Props) {
  const { t } = useTexts();
  return (
    // A scrolled part of a page must be reached by keys too.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
    <div className={css.importRows} role="region" aria-label={t("import.rows")} tabIndex={0} style={{ blockSize: Math.min(MOST, rows.length * ROW) }}>
      <VList data={rows}>
        {(row) => <Row key={row.line} row={row} {...(without ? { without } : {})} {...(onToggle ? { onToggle } : {})} />}
      </VList>
    </div>
  );
}
