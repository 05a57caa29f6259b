/** The list of keys. */
import { Button } from "@fluentui/react-button";
import { Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-dialog";

import { useTexts } from "../texts/texts";
import css from "./keyboard.module.css";
import { keyGroups } from "./keyGroups";

export function KeyList() {
  const { t } = useTexts();
  return (
    <>
      {keyGroups.map((group) => (
        <section key={group.title} className={css.group}>
          <h3>{t(group.title)}</h3>
          <dl>
            {group.keys.map(([keys, meaning]) => (
              <div key={meaning}>
                <dt>
                  {keys.split(" · ").map((one) => (
                    <kbd key={one}>{one}</kbd>
                  ))}
                </dt>
                <dd>{t(meaning)}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </>
  );
}

export function KeyboardDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTexts();
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && onClose()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{t("settings.keyboard")}</DialogTitle>
          <DialogContent tabIndex={0}>
            <KeyList />
          </DialogContent>
          <DialogActions>
            <Button onClick={onClose}>{t("close")}</Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
