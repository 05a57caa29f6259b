/** Asks before something that can't be undone; both answers say what they do. */
import { Button } from "@fluentui/react-button";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";
import { useState } from "react";

import { useTexts } from "../texts/texts";

interface Props {
  title: string;
  text: string;
  yes: string;
  no: string;
  onDone: () => Promise<unknown>;
  onClose: () => void;
}

export function ConfirmDialog({ title, text, yes, no, onDone, onClose }: Props) {
  const { refused } = useTexts();
  const [problem, setProblem] = useState("");
  const act = () => onDone().then(onClose, (error: unknown) => setProblem(refused(error)));
  return (
    <Dialog open modalType="alert" onOpenChange={(_, data) => !data.open && onClose()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{title}</DialogTitle>
          <DialogContent>
            <p>{text}</p>
            {problem && <p role="alert">{problem}</p>}
          </DialogContent>
          <DialogActions>
            <Button onClick={onClose}>{no}</Button>
            <Button appearance="primary" onClick={() => void act()}>
              {yes}
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
