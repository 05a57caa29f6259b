/** A setting of which one of a few holds. */
import { useId } from "react";

import css from "./settings.module.css";

interface Props<Id extends string> {
  title: string;
  help?: string;
  options: readonly { id: Id; text: string }[];
  chosen: Id;
  onChoose: (id: Id) => void;
}

export function Choice<Id extends string>({ title, help, options, chosen, onChoose }: Props<Id>) {
  const name = useId();
  return (
    <fieldset className={css.choice}>
      <legend>{title}</legend>
      {help && <p>{help}</p>}
      <div className={css.options}>
        {options.map((option) => (
          <label key={option.id}>
            <input type="radio" name={name} checked={option.id === chosen} onChange={() => onChoose(option.id)} />
            {option.text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
