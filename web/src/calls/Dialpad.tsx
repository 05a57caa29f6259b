/** Twelve keys, for numbers and for tones. Always in the order of a telephone, whatever way the page is read. */
import css from "./calls.module.css";
import { playKey } from "./sound";

const letters = { 1: "", 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ", "*": "", 0: "+", "#": "" } as const;
const keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"] as const;

interface Props {
  label: string;
  onKey: (key: string) => void;
  /** On the dark stage of a call. */
  stage?: boolean;
}

export function Dialpad({ label, onKey, stage = false }: Props) {
  const press = (key: string) => {
    playKey(key);
    onKey(key);
  };
  return (
    <div className={css.pad} role="group" aria-label={label} dir="ltr" data-stage={stage || undefined}>
      {keys.map((key) => (
        <button key={key} type="button" aria-label={key} onClick={() => press(key)}>
          {key}
          <small aria-hidden>{letters[key]}&nbsp;</small>
        </button>
      ))}
    </div>
  );
}
