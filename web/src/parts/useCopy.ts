import { useAnnounce } from "./announce";
import { useTexts } from "../texts/texts";

/** Copy a text and say so. */
export function useCopy(): (text: string) => void {
  const announce = useAnnounce();
  const { t } = useTexts();
  return (text) => void navigator.clipboard.writeText(text).then(() => announce(t("copied")));
}
