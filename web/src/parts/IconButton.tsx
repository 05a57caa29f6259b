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
  appearance?: "subtle" | "primary";
  buttonRef?: Ref<HTMLButtonElement>;
  className?: string;
}

export function IconButton({ icon, label, onClick, pressed, disabled, appearance = "subtle", buttonRef, className }: Props) {
  return (
    <Tooltip content={label} relationship="label" withArrow={false}>
      <Button
        ref={buttonRef}
        appearance={appearance}
        icon={icon}
        onClick={onClick}
        aria-pressed={pressed}
        disabledFocusable={disabled}
        className={className}
      />
    </Tooltip>
  );
}
