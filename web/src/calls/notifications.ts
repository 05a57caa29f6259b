/**
 * Notifications of the system for calls that ring. With a service worker they carry Answer and Decline; browsers without
 * one (pages that are neither of this computer nor over https) show them plain, and a click brings the page to the front.
 */

export interface Shown {
  close: () => void;
}

export interface Pressed {
  action: "answer" | "decline" | "";
  call: string;
}

interface Words {
  title: string;
  body: string;
  answer: string;
  decline: string;
}

/** Actions are in every browser that has service workers with notifications; the types don't know them. */
interface WithActions extends NotificationOptions {
  actions: { action: string; title: string }[];
}

const tagOf = (call: string) => `call-${call}`;
const container = () => navigator.serviceWorker as ServiceWorkerContainer | undefined;

let registering: Promise<ServiceWorkerRegistration | null> | null = null;

/** The worker, once per page; null where the browser gives none. */
function worker(): Promise<ServiceWorkerRegistration | null> {
  const workers = container();
  registering ??= workers
    ? workers.register("/worker.js").then(
        () => workers.ready,
        // Refused by the browser or a policy: the plain form is left.
        () => null,
      )
    : Promise.resolve(null);
  return registering;
}

/** Have the worker ready before the first call, since it rings only for seconds. */
export const prepare = (): void => void worker();

function showPlain(call: string, words: Words): { close: () => void } {
  const notification = new Notification(words.title, { body: words.body, tag: tagOf(call), icon: "/mark.svg", requireInteraction: true });
  notification.onclick = () => {
    window.focus();
    notification.close();
  };
  return { close: () => notification.close() };
}

async function closeIn(registration: ServiceWorkerRegistration, call: string): Promise<void> {
  for (const one of await registration.getNotifications({ tag: tagOf(call) })) one.close();
}

async function draw(registration: ServiceWorkerRegistration, call: string, words: Words): Promise<void> {
  const options: WithActions = {
    ...{ body: words.body, tag: tagOf(call), icon: "/mark.svg", requireInteraction: true, data: { call } },
    actions: [
      { action: "answer", title: words.answer },
      { action: "decline", title: words.decline },
    ],
  };
  await registration.showNotification(words.title, options);
}

/** Show a call for as long as it rings. */
export function show(call: string, words: Words): Shown {
  const leaving = new AbortController();
  const over = () => leaving.signal.aborted;
  void worker().then(async (registration) => {
    if (over()) return;
    const close = registration ? () => void closeIn(registration, call) : showPlain(call, words).close;
    if (registration) await draw(registration, call, words);
    // It may have stopped ringing while the system was still drawing.
    if (over()) close();
    else leaving.signal.addEventListener("abort", close);
  });
  return { close: () => leaving.abort() };
}

/** Called for what a person pressed in a notification. Returns how to stop listening. */
export function onPressed(listener: (pressed: Pressed) => void): () => void {
  const workers = container();
  const take = ({ data }: MessageEvent<{ pressed?: Pressed["action"]; call?: string } | null>) => {
    if (data?.pressed !== undefined && data.call) listener({ action: data.pressed, call: data.call });
  };
  workers?.addEventListener("message", take);
  return () => workers?.removeEventListener("message", take);
}
