// Live pages: an element with data-live="monitor" or "monitor:home" fetches itself again (its own
// hx-get, on the event "refresh") when the server says so, and every 10 s while it can't.
(() => {
  const url = document.body.dataset.liveUrl;
  const banner = document.getElementById("offline");
  const announced = { monitor: "monitor", alerts: "alert" }; // event: topic; others are polled
  const gather_ms = 400; // events come in bursts: one refresh per element and burst
  const poll_ms = 10000;
  const waiting = new Map();
  let connected = false;
  let failures = 0;

  const refresh = (element) => {
    if (waiting.has(element) || document.hidden) return;
    const busy = element.contains(document.activeElement) && element.matches("[data-live-polite]");
    if (busy) return;
    waiting.set(element, setTimeout(() => {
      waiting.delete(element);
      if (element.isConnected) window.htmx.trigger(element, "refresh");
    }, gather_ms));
  };

  // a container with data-poll fetches all its rows at once
  const refreshAll = (isWanted = () => true) => {
    for (const element of document.querySelectorAll("[data-poll], [data-live]")) {
      if (!element.parentElement.closest("[data-poll]") && isWanted(element)) refresh(element);
    }
  };

  const topicsOf = (element) => (element.dataset.live || "monitor").split(" ").map((one) => one.split(":")[0]);
  const isSilent = (element) => !topicsOf(element).every((one) => Object.values(announced).includes(one));

  const tell = (topic, name) => {
    if (!name) { // many at once: everything of the topic
      refreshAll((element) => topicsOf(element).includes(topic));
      return;
    }
    for (const element of document.querySelectorAll("[data-live]")) {
      const wanted = element.dataset.live.split(" ");
      if (wanted.includes(topic) || wanted.includes(`${topic}:${name}`)) refresh(element);
    }
  };

  const setConnected = (value) => {
    connected = value;
    if (value) failures = 0;
    if (banner) banner.hidden = value || failures < 2;
  };

  const listen = () => {
    const source = new EventSource(url);
    source.onopen = () => {
      if (failures) refreshAll();
      setConnected(true);
    };
    source.onerror = () => {
      failures += 1;
      setConnected(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, poll_ms);
    };
    for (const [kind, topic] of Object.entries(announced)) {
      source.addEventListener(kind, (event) => {
        let name = "";
        try {
          name = JSON.parse(event.data).name || "";
        } catch {
          // an event without a name concerns everything of its topic
        }
        tell(topic, name);
      });
    }
    source.addEventListener("reload", () => refreshAll()); // we were too slow to follow
    window.addEventListener("pagehide", () => source.close(), { once: true });
  };

  if (!url) return;
  listen();
  setInterval(() => refreshAll(connected ? isSilent : undefined), poll_ms);
  document.addEventListener("visibilitychange", () => document.hidden || refreshAll());
})();
