/** Asks for one text. */
import { Button } from "@fluentui/react-button";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";
import { Field } from "@fluentui/react-field";
import { Input } from "@fluentui/react-input";
import type { FormEvent } from "react";
import { useState } from "react";

import { useTexts } from "../texts/texts";

interface Props {
  title: string;
  label: string;
  value: string;
  /** What the button says; else Save. */
  action?: string;
  /** No text is an answer too. */
  optional?: boolean;
  onDone: (text: string) => Promise<unknown>;
  onClose: () => void;
}

export function TextDialog({ title, label, value, action, optional = false, onDone, onClose }: Props) {
  const { t, refused } = useTexts();
  const [text, setText] = useState(value);
  const [problem, setProblem] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!optional && !text.trim()) return;
    onDone(text.trim()).then(onClose, (error: unknown) => setProblem(refused(error)));
  };
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && onClose()}>
      <DialogSurface>
        <form onSubmit={submit}>
          <DialogBody>
            <DialogTitle>{title}</DialogTitle>
            <DialogContent>
              <Field label={label} validationState={problem ? "error" : "none"} validationMessage={problem || undefined}>
                {/* eslint-disable-next-line jsx-a11y/no-autofocus -- the one thing to do in a dialog that was just opened */}
                <Input value={text} maxLength={80} onChange={(_, data) => setText(data.value)} autoFocus />
              </Field>
            </DialogContent>
            <DialogActions>
              <Button onClick={onClose}>{t("cancel")}</Button>
              <Button appearance="primary" type="submit" disabledFocusable={!optional && !text.trim()}>
                {action ?? t("save")}
              </Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}
