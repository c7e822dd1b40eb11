// Shows what was pushed, and opens what is touched. Served at /push-worker.js; fetches nothing.
self.addEventListener("push", (event) => {
  const said = event.data ? event.data.json() : { title: "Detectviz" };
  event.waitUntil(self.registration.showNotification(said.title, {
    body: said.body,
    tag: said.tag,
    renotify: Boolean(said.tag),
    requireInteraction: Boolean(said.stays),
    actions: (said.actions || []).map(({ action, title }) => ({ action, title })),
    data: { url: said.url, actions: said.actions || [] },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url, actions } = event.notification.data || {};
  const chosen = (actions || []).find(({ action }) => action === event.action);
  const target = chosen ? chosen.url : url;
  if (target) event.waitUntil(self.clients.openWindow(target));
});
