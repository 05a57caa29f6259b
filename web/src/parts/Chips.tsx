/** Filters of a list: one of a few. */
import css from "./chips.module.css";

export interface Chip<Id extends string> {
  id: Id;
  text: string;
  count?: number;
}

interface Props<Id extends string> {
  label: string;
  chips: readonly Chip<Id>[];
  chosen: Id;
  onChoose: (id: Id) => void;
}

export function Chips<Id extends string>({ label, chips, chosen, onChoose }: Props<Id>) {
  return (
    <div className={css.chips} role="group" aria-label={label}>
      {chips.map((chip) => (
        <button key={chip.id} type="button" aria-pressed={chip.id === chosen} onClick={() => onChoose(chip.id)}>
          {chip.text}
          {chip.count ? <span>{chip.count}</span> : null}
        </button>
      ))}
    </div>
  );
}
