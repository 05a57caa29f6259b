/** A control of a call: always with its word. A white disc says that the unusual state is on. */
import type { ReactElement, Ref } from "react";
import { forwardRef } from "react";


interface Props {
  icon: ReactElement;
  text: string;
  on?: boolean;
  end?: boolean;
  /** Why it can't be done now: it stays, and says so. */
  barred?: string | null;
  keys?: string;
  onClick?: () => void;
}

export const StageButton = forwardRef(function StageButton({ icon, text, on, end, barred, keys, onClick, ...rest }: Props, ref: Ref<HTMLButtonElement>) {
  return (
    <button
      {...rest}
      ref={ref}
      type="button"
      data-on={on || undefined}
      data-end={end || undefined}
      data-barred={barred ? true : undefined}
      title={barred ?? undefined}
      aria-keyshortcuts={keys}
      onClick={onClick}
    >
      <span aria-hidden>{icon}</span>
      {text}
      {barred && <span className="sr-only">. {barred}</span>}
    </button>
  );
});
