/**
 * Which of the windows of this browser does what only one may do: carry the sound of a call, or ring.
 * A claim waits until the window that has it goes; with `steal` it takes it away.
 */
export class Claim {
  private readonly leaving = new AbortController();
  private letGo: (() => void) | null = null;
  held = false;

  constructor(
    private readonly name: string,
    private readonly onHeld: () => void,
    private readonly onTaken: () => void,
  ) {}

  ask(steal: boolean): void {
    const locks = navigator.locks as LockManager | undefined;
    if (!locks) {
      // Pages that are not from this computer have no locks: each window is for itself.
      this.held = true;
      this.onHeld();
      return;
    }
    const keep = () =>
      new Promise<void>((resolve) => {
        if (this.leaving.signal.aborted) {
          resolve();
          return;
        }
        this.letGo = resolve;
        this.held = true;
        this.onHeld();
      });
    const asked = steal ? locks.request(this.name, { steal: true }, keep) : locks.request(this.name, { signal: this.leaving.signal }, keep);
    asked.catch(() => {
      // Aborted: by this window, or because another one took it.
      if (!this.held) return;
      this.held = false;
      this.letGo = null;
      this.onTaken();
    });
  }

  release(): void {
    this.held = false;
    this.leaving.abort();
    this.letGo?.();
  }
}
