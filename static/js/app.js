// Menus, theme, confirmations, toasts, bulk selection and the forms made from schemas.
// Everything is delegated from the document, so fragments swapped in later just work.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const announceable = document.getElementById("toasts");

  // --- sidebar and menus ----------------------------------------------------------------------
  const setSide = (open) => {
    document.body.classList.toggle("side-is-open", open);
    for (const button of all("[data-side-toggle]")) button.setAttribute("aria-expanded", open);
    if (open) document.querySelector(".side a")?.focus();
  };

  // A cookie and no storage of the page: the server draws the menu as it was left.
  const rememberFold = (name, unfolded) => {
    const kept = document.cookie.match(/(?:^|; )side_unfolded=([^;]*)/)?.[1] ?? "";
    const names = kept.split(".").filter((each) => each && each !== name);
    if (unfolded) names.push(name);
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `side_unfolded=${names.join(".")}; path=/; max-age=31536000; samesite=lax${secure}`;
  };

  // Which page this is should be seen in the menu, however long it is.
  const nav = document.querySelector(".side-nav");
  const here = nav?.querySelector("[aria-current]");
  if (here) {
    const below = here.getBoundingClientRect().bottom - nav.getBoundingClientRect().bottom;
    if (below > 0) nav.scrollTop += below + nav.clientHeight / 3;
  }

  const closeMenus = (except) => {
    for (const menu of all("details.menu[open]")) if (menu !== except) menu.open = false;
  };

  document.addEventListener("click", (event) => {
    const target = event.target;
    closeMenus(target.closest("details.menu"));
    if (target.closest("[data-side-toggle]")) {
      setSide(!document.body.classList.contains("side-is-open"));
    } else if (target.closest(".scrim")) {
      setSide(false);
    }
    const fold = target.closest(".side-group > summary")?.parentElement;
    if (fold) rememberFold(fold.dataset.sideGroup, !fold.open);
    const theme = target.closest("[data-theme-choice]");
    if (theme) {
      window.detectvizTheme.choose(theme.dataset.themeChoice);
      markTheme();
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const open = document.querySelector("details.menu[open]");
      if (open) {
        open.open = false;
        open.querySelector("summary").focus();
      } else if (document.body.classList.contains("side-is-open")) {
        setSide(false);
        document.querySelector("[data-side-toggle]").focus();
      }
    }
    const typing = event.target.matches("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      const search = document.querySelector("main input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });

  const markTheme = () => {
    for (const button of all("button[data-theme-choice]")) {
      const chosen = button.dataset.themeChoice === window.detectvizTheme.choice();
      button.setAttribute("aria-pressed", chosen);
    }
  };
  markTheme();

  // --- toasts -----------------------------------------------------------------------------------
  const toast = (text, level = "success") => {
    const template = document.getElementById("toast-template");
    const note = template.content.firstElementChild.cloneNode(true);
    note.classList.add(`is-${level}`);
    note.querySelector("p").textContent = text;
    announceable.append(note);
    if (level === "success") setTimeout(() => note.remove(), 6000);
  };

  document.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.closest(".toast-note, .notice")?.remove();
  });
  document.body.addEventListener("toast", (event) => toast(event.detail.text, event.detail.level));
  document.body.addEventListener("htmx:sendError", () => {
    if (!document.querySelector(".offline:not([hidden])")) {
      toast("The server did not answer. Check the connection and try again.", "error");
    }
  });
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    if (xhr.status === 422 && xhr.responseText.trim()) {
      event.detail.shouldSwap = true; // a form comes back with its errors
      event.detail.isError = false;
    } else if (xhr.status === 401) {
      window.location.reload(); // the session ended: the server leads to the sign-in page
    }
  });
  document.body.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    if (event.detail.elt.hasAttribute("data-live")) return; // the next refresh tries again
    if (xhr.getResponseHeader("HX-Trigger")) return; // the answer brought its own words
    toast(`The request failed (${xhr.status}).`, "error");
  });

  // --- confirmation -----------------------------------------------------------------------------
  const sheet = document.getElementById("confirm");
  let proceed = null;

  const ask = (question, source, then) => {
    sheet.querySelector("[data-confirm-text]").textContent = question;
    sheet.querySelector("[data-confirm-ok]").textContent = source.dataset.confirmLabel || "Continue";
    proceed = then;
    sheet.returnValue = "";
    sheet.showModal();
  };

  sheet?.addEventListener("close", () => {
    if (sheet.returnValue === "ok" && proceed) proceed();
    proceed = null;
  });
  document.body.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    ask(event.detail.question, event.detail.elt, () => event.detail.issueRequest(true));
  });
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    const question = button?.dataset.confirm;
    if (!question || button.dataset.confirmed) return;
    event.preventDefault();
    ask(question, button, () => {
      button.dataset.confirmed = "yes";
      event.target.requestSubmit(button);
    });
  });

  // --- bulk selection ---------------------------------------------------------------------------
  const chosen = new Set(); // survives the live refresh of rows

  const showBulk = () => {
    const boxes = all("input[data-select]");
    for (const box of boxes) box.checked = chosen.has(box.value);
    const visible = boxes.filter((box) => box.checked).length;
    for (const bar of all("[data-bulk-bar]")) bar.hidden = visible === 0;
    for (const count of all("[data-bulk-count]")) {
      count.textContent = `${visible} selected`;
    }
    for (const box of all("input[data-select-all]")) {
      box.checked = visible > 0 && visible === boxes.length;
      box.indeterminate = visible > 0 && visible < boxes.length;
    }
  };

  const remember = (box) => (box.checked ? chosen.add(box.value) : chosen.delete(box.value));

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.matches("input[data-select]")) remember(box);
    if (box.matches("input[data-select-all]")) {
      for (const one of all("input[data-select]")) {
        one.checked = box.checked;
        remember(one);
      }
    }
    if (box.matches("input[data-select], input[data-select-all]")) showBulk();
    if (box.matches("[data-reveals]")) reveal(box);
    if (box.closest("[data-schema-form]")) showFields(box.closest("[data-schema-form]"));
  });
  document.body.addEventListener("bulk:done", () => chosen.clear());

  const reveal = (select) => {
    const form = select.closest("form");
    for (const part of all("[data-revealed-by]", form)) {
      part.hidden = !part.dataset.revealedBy.split(" ").includes(select.value);
    }
  };

  // --- forms from schemas -----------------------------------------------------------------------
  const valuesOf = (form, name) => {
    const inputs = all("input, select, textarea", form).filter((input) => input.name === name);
    const found = inputs.flatMap((input) => {
      if (input.type === "checkbox" || input.type === "radio") {
        return input.dataset.single ? [String(input.checked)] : input.checked ? [input.value] : [];
      }
      return input.multiple ? [...input.selectedOptions].map((one) => one.value) : [input.value];
    });
    return found;
  };

  const showFields = (form) => {
    for (const part of all("[data-show-if]", form)) {
      const conditions = JSON.parse(part.dataset.showIf);
      const shown = Object.entries(conditions).every(([name, wanted]) =>
        valuesOf(form, name).some((value) => wanted.includes(value)),
      );
      part.hidden = !shown;
      for (const input of all("input, select, textarea", part)) {
        if (!input.closest("template")) input.disabled = !!input.closest("[data-show-if][hidden]");
      }
    }
  };

  document.addEventListener("click", (event) => {
    const add = event.target.closest("[data-row-add]");
    if (add) {
      const list = add.closest("[data-rows]");
      const template = list.querySelector(":scope > template");
      const index = Number(list.dataset.next);
      list.dataset.next = index + 1;
      const holder = document.createElement("template");
      holder.innerHTML = template.innerHTML.replaceAll(list.dataset.placeholder, String(index));
      const row = holder.content.firstElementChild;
      list.querySelector(":scope > .rows").append(row);
      window.htmx?.process(row);
      row.dispatchEvent(new Event("row:added", { bubbles: true }));
      row.querySelector("input, select, textarea")?.focus();
      showFields(add.closest("[data-schema-form]"));
      list.dispatchEvent(new Event("input", { bubbles: true })); // previews look again
      row.querySelector("[data-rows][data-starts-filled] > [data-row-add]")?.click();
    }
    const remove = event.target.closest("[data-row-remove]");
    if (remove) {
      const list = remove.closest("[data-rows]");
      remove.closest(".row-entry").remove();
      list.querySelector(":scope > [data-row-add]").focus();
      list.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const drop = event.target.closest("[data-remove]");
    if (drop) {
      const part = drop.closest(drop.dataset.remove);
      const next = part.nextElementSibling || part.parentElement.nextElementSibling;
      part.remove();
      next?.querySelector("button, input:not([type=hidden]), select")?.focus();
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const text = document.getElementById(copy.dataset.copy).textContent.trim();
      navigator.clipboard?.writeText(text).then(() => toast("Copied."));
    }
  });

  // lists of lines whose entries are known: what is chosen becomes a line
  const addLine = (box) => {
    const lines = document.getElementById(box.dataset.lineAdd);
    const chosen = box.value.trim();
    if (!chosen) return;
    const there = lines.value.split("\n").map((line) => line.trim()).filter(Boolean);
    lines.value = there.includes(chosen) ? there.join("\n") : [...there, chosen].join("\n");
    box.value = "";
    lines.dispatchEvent(new Event("input", { bubbles: true }));
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-line-add]")) addLine(event.target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("[data-line-add]")) return;
    event.preventDefault();
    addLine(event.target);
  });

  // times of a form are those of the reader's own clock, unless a place is kept with them
  const ownClock = (root) => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const place of zone ? all("input[data-own-zone]", root) : []) {
      place.removeAttribute("data-own-zone");
      place.value = zone;
      for (const input of all("input[data-utc]", place.form)) {
        const at = new Date(input.dataset.utc);
        const wall = new Date(at.getTime() - at.getTimezoneOffset() * 60000);
        input.value = wall.toISOString().slice(0, 16);
      }
      place.dispatchEvent(new Event("change", { bubbles: true }));
    }
  };

  // the name of a new thing follows its title until somebody writes a name of his own
  document.addEventListener("input", (event) => {
    const name = event.target.closest("[data-schema-form]")?.querySelector("#f-name");
    if (!name || event.target.id !== "f-title" || name.value !== (name.dataset.made || "")) return;
    const plain = event.target.value.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "");
    const made = plain.replace(/[^a-z0-9]+/g, "-").slice(0, 63).replace(/^-+|-+$/g, "");
    name.dataset.made = made;
    name.value = made;
  });

  const prepare = (root) => {
    for (const form of all("[data-schema-form]", root.parentNode || root)) showFields(form);
    for (const select of all("[data-reveals]", root)) reveal(select);
    root.querySelector?.("[data-error-summary]")?.focus();
    ownClock(root);
    showBulk();
    showTimes(root);
  };

  // --- times: the server writes UTC, the reader sees the distance and his own zone on hover ------
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  // What is to come is rounded: two hours that begin now are "in 2 hours" a second later, too.
  const rounded = (span) => (span > 0 ? Math.round(span) : Math.trunc(span));
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

  const showTimes = (root = document) => {
    for (const time of all("time[data-relative]", root)) {
      const at = new Date(time.dateTime);
      const seconds = Math.round((at - Date.now()) / 1000);
      const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) || units[3];
      const text = Math.abs(seconds) < 5 ? "now" : relative.format(rounded(seconds / size), unit);
      if (time.textContent !== text) time.textContent = text;
      if (!time.title) time.title = at.toLocaleString();
    }
  };
  setInterval(showTimes, 5000);

  document.body.addEventListener("htmx:afterSettle", (event) => prepare(event.detail.elt));
  prepare(document.body);
})();
