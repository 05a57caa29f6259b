import { KeyList } from "../shell/KeyboardDialog";

export function KeyboardPage() {
  return <KeyList />;
}
