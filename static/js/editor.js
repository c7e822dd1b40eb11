// <div data-editor="promql" data-url="…" data-nonce="…"><textarea></textarea></div>: the textarea stays the
// form's field (and the editor of browsers without scripts); the code editor writes into it. Shift+Enter
// presses the row's [data-editor-run], else it submits the form.
(() => {
  const editors = new WeakMap();

  const run = (holder, field) => {
    const button = holder.closest(".row-entry")?.querySelector("[data-editor-run]");
    if (button) button.click();
    else field.form?.requestSubmit();
  };

  // Labels, notes and links to the field lead to the code editor from now on.
  const takePlace = (view, field) => {
    const content = view.contentDOM;
    for (const name of ["aria-describedby", "aria-invalid"]) {
      if (field.hasAttribute(name)) content.setAttribute(name, field.getAttribute(name));
    }
    for (const label of field.labels) label.addEventListener("click", () => view.focus());
    if (field.id) [content.id, field.id] = [field.id, ""];
  };

  const open = (holder) => {
    if (editors.has(holder) || !window.DetectvizEditor) return;
    const field = holder.querySelector("textarea");
    const options = {
      text: field.value,
      url: holder.dataset.url,
      nonce: holder.dataset.nonce,
      label: field.getAttribute("aria-label") || holder.dataset.label,
      hint: holder.dataset.hint,
      onChange: (text) => { field.value = text; },
      onSubmit: () => run(holder, field),
    };
    const kinds = {
      promql: window.DetectvizEditor.promql,
      yaml: window.DetectvizEditor.yamlEditor,
      json: window.DetectvizEditor.jsonEditor,
    };
    field.hidden = true;
    const view = kinds[holder.dataset.editor](holder, options);
    editors.set(holder, view);
    takePlace(view, field);
  };

  const start = (root) => {
    for (const holder of root.querySelectorAll("[data-editor]")) open(holder);
  };

  document.addEventListener("editor:added", (event) => {
    start(event.target);
    editors.get(event.target.querySelector("[data-editor]"))?.focus();
  });
  document.addEventListener("row:added", (event) => start(event.target));
  document.body.addEventListener("htmx:afterSettle", () => start(document));
  start(document);
})();
