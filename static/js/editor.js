// <div data-editor="promql" data-url="…" data-nonce="…"><textarea></textarea></div>: the textarea stays the
// form's field (and the editor of browsers without scripts); the code editor writes into it.
(() => {
  const editors = new WeakMap();

  const open = (holder) => {
    if (editors.has(holder) || !window.DetectvizEditor) return;
    const field = holder.querySelector("textarea");
    const options = {
      text: field.value,
      url: holder.dataset.url,
      nonce: holder.dataset.nonce,
      label: field.getAttribute("aria-label"),
      hint: holder.dataset.hint,
      onChange: (text) => { field.value = text; },
      onSubmit: () => field.form?.requestSubmit(),
    };
    const kinds = {
      promql: window.DetectvizEditor.promql,
      yaml: window.DetectvizEditor.yamlEditor,
      json: window.DetectvizEditor.jsonEditor,
    };
    field.hidden = true;
    editors.set(holder, kinds[holder.dataset.editor](holder, options));
  };

  const start = (root) => {
    for (const holder of root.querySelectorAll("[data-editor]")) open(holder);
  };

  document.addEventListener("editor:added", (event) => {
    start(event.target);
    editors.get(event.target.querySelector("[data-editor]"))?.focus();
  });
  document.body.addEventListener("htmx:afterSettle", () => start(document));
  start(document);
})();
