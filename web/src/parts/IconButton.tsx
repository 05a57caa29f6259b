/** A button that is only an icon: always with a tooltip, which is its accessible name too. */
import { Button } from "@fluentui/react-button";
import { Tooltip } from "@fluentui/react-tooltip";
import type { ReactElement, Ref } from "react";

interface Props {
  icon: ReactElement;
  label: string;
  onClick?: () => void;
  pressed?: boolean;
  disabled?: boolean;
  /** Why it can't be used from here: it stays, and says so. */
  barred?: string;
  appearance?: "subtle" | "primary";
  buttonRef?: Ref<HTMLButtonElement>;
  className?: string;
}

export function IconButton({ icon, label, onClick, pressed, disabled, barred, appearance = "subtle", buttonRef, className }: Props) {
  return (
    <Tooltip content={barred || label} relationship={barred ? "description" : "label"} withArrow={false}>
      <Button
        ref={buttonRef}
        appearance={appearance}
        icon={icon}
        onClick={onClick}
        aria-label={label}
        aria-pressed={pressed}
        disabledFocusable={disabled || Boolean(barred)}
        className={className}
      />
    </Tooltip>
  );
}
