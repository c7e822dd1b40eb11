// "Tell me in this browser": asks the browser for a push subscription and posts it as a form.
(() => {
  const form = document.querySelector("form[data-push]");
  if (!form) return;
  const button = form.querySelector("button");
  const status = form.querySelector("[role=status]");
  const say = (text) => { status.textContent = text; };

  const bytes = (text) => {
    const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(plain, (character) => character.charCodeAt(0));
  };

  const encoded = (buffer) => {
    const plain = btoa(String.fromCharCode(...new Uint8Array(buffer)));
    return plain.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };

  const active = (registration) => new Promise((resolve) => {
    const worker = registration.installing || registration.waiting;
    if (registration.active || !worker) resolve();
    else worker.addEventListener("statechange", () => worker.state === "activated" && resolve());
  });

  const subscribed = async () => {
    const registration = await navigator.serviceWorker.register(form.dataset.worker, {
      scope: form.dataset.worker,
    });
    await active(registration);
    const options = { userVisibleOnly: true, applicationServerKey: bytes(form.dataset.key) };
    try {
      return await registration.pushManager.subscribe(options);
    } catch (error) {
      // One made for another key (the deployment moved): it is of no use any more.
      const old = await registration.pushManager.getSubscription();
      if (!old) throw error;
      await old.unsubscribe();
      return registration.pushManager.subscribe(options);
    }
  };

  const begin = async () => {
    button.disabled = true;
    say("Asking the browser…");
    try {
      if (await Notification.requestPermission() !== "granted") {
        say("This browser does not allow notifications from here. Allow them in its settings.");
        return;
      }
      const subscription = await subscribed();
      form.elements.endpoint.value = subscription.endpoint;
      form.elements.p256dh.value = encoded(subscription.getKey("p256dh"));
      form.elements.auth.value = encoded(subscription.getKey("auth"));
      say("Sending a test…");
      form.submit();
    } catch (error) {
      say(`The browser could not subscribe: ${error.message}`);
    } finally {
      button.disabled = false;
    }
  };

  const missing = !window.isSecureContext
    ? "Browsers allow this at https addresses only."
    : !("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)
      ? "This browser has no push notifications."
      : "";
  if (missing) {
    say(missing);
    return;
  }
  button.hidden = false;
  button.addEventListener("click", begin);
})();
