/**
 * The few controls of the sign-in, from the page's own tokens. The sign-in is the first thing that loads, and the
 * component library that the rest is made from would double it.
 */
import type { ButtonHTMLAttributes, InputHTMLAttributes, ReactElement, ReactNode, Ref, SelectHTMLAttributes } from "react";
import { useId } from "react";

import css from "./controls.module.css";

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { kind?: "primary" | "plain"; large?: boolean; icon?: ReactElement };

export function Button({ kind = "plain", large = false, icon, children, className = "", ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} className={`${css.button ?? ""} ${className}`} data-kind={kind} data-large={large || undefined}>
      {icon}
      {children}
    </button>
  );
}

export function IconButton({ icon, label, onClick }: { icon: ReactElement; label: string; onClick: () => void }) {
  return (
    <button type="button" className={css.icon} aria-label={label} title={label} onClick={onClick}>
      {icon}
    </button>
  );
}

interface FieldProps {
  label: ReactNode;
  hint?: string | undefined;
  problem?: string | undefined;
}

/** Label above, what is wrong or a hint below, tied to the control. */
function Field({ label, hint, problem, id, children }: FieldProps & { id: string; children: ReactNode }) {
  return (
    <div className={css.field} data-wrong={problem ? "" : undefined}>
      <label htmlFor={id}>{label}</label>
      {children}
      {problem ? (
        <p id={`${id}-note`} role="alert" className={css.problem}>
          {problem}
        </p>
      ) : (
        hint && <p id={`${id}-note`}>{hint}</p>
      )}
    </div>
  );
}

type TextProps = FieldProps & InputHTMLAttributes<HTMLInputElement> & { fieldRef?: Ref<HTMLInputElement> };

export function TextField({ label, hint, problem, fieldRef, ...rest }: TextProps) {
  const id = useId();
  return (
    <Field label={label} hint={hint} problem={problem} id={id}>
      <input {...rest} ref={fieldRef} id={id} aria-invalid={problem ? true : undefined} aria-describedby={hint || problem ? `${id}-note` : undefined} />
    </Field>
  );
}

export function SelectField({ label, children, ...rest }: FieldProps & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId();
  return (
    <Field label={label} id={id}>
      <select {...rest} id={id}>
        {children}
      </select>
    </Field>
  );
}

export function CheckField({ label, ...rest }: { label: string } & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label className={css.check}>
      <input type="checkbox" {...rest} />
      {label}
    </label>
  );
}

export const Busy = () => <span className={css.busy} aria-hidden />;
