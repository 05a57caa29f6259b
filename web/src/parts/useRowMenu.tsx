import { Menu } from "@fluentui/react-menu";
import type { MouseEvent, ReactElement } from "react";
import { useRef, useState } from "react";

/** A place to open at: an element, or a point. */
interface Place {
  getBoundingClientRect: () => DOMRect;
}

/** Where the pointer is; by keyboard there is none, and the row itself is the place. */
function placeOf(event: MouseEvent<HTMLElement>): Place {
  const { clientX, clientY, currentTarget } = event;
  if (!clientX && !clientY) return currentTarget;
  return { getBoundingClientRect: () => new DOMRect(clientX, clientY, 0, 0) };
}

/** The context menu of a row: made when it is asked for, since a list may have a thousand rows. */
export function useRowMenu(popover: () => ReactElement): { onContextMenu: (event: MouseEvent<HTMLElement>) => void; menu: ReactElement | null } {
  const [target, setTarget] = useState<Place | null>(null);
  const row = useRef<HTMLElement | null>(null);
  const onContextMenu = (event: MouseEvent<HTMLElement>) => {
    event.preventDefault();
    row.current = event.currentTarget;
    setTarget(placeOf(event));
  };
  const close = () => {
    setTarget(null);
    row.current?.focus();
  };
  const menu = target && (
    <Menu open positioning={{ target }} onOpenChange={(_, data) => !data.open && close()}>
      {popover()}
    </Menu>
  );
  return { onContextMenu, menu };
}
