/**
 * What a person presses in a notification is taken to the page, which does it. Nothing is kept here and no request is
 * answered from here: the page works the same without it.
 */
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("notificationclick", (event) => {
  const { action, notification } = event;
  notification.close();
  event.waitUntil(tell(action, notification.data));
});

async function tell(action, data) {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((one) => one.visibilityState === "visible") ?? pages[0];
  if (!page) {
    // The page was closed meanwhile: open, it shows what still rings.
    await self.clients.openWindow("/calls");
    return;
  }
  page.postMessage({ pressed: action, call: data?.call ?? "" });
  // Whoever declines wants to go on with what is in front.
  if (action !== "decline") await page.focus();
}
