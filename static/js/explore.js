// The list of questions of the Explore page, and asking them again every few seconds.
(() => {
  const form = document.getElementById("explore");
  const list = document.getElementById("asks");
  const template = document.getElementById("ask-template");
  const MOST = 10;
  let timer = 0;

  const count = () => {
    form.querySelector("[data-ask-add]").disabled = list.children.length >= MOST;
    for (const button of list.querySelectorAll("[data-ask-remove]")) button.disabled = list.children.length < 2;
  };

  form.addEventListener("click", (event) => {
    if (event.target.closest("[data-ask-add]")) {
      const row = template.content.firstElementChild.cloneNode(true);
      list.append(row);
      row.dispatchEvent(new Event("editor:added", { bubbles: true }));
      count();
    }
    if (event.target.closest("[data-ask-remove]")) {
      event.target.closest(".ask").remove();
      count();
      form.requestSubmit();
    }
  });

  form.addEventListener("change", (event) => {
    if (!event.target.matches("[data-refresh]")) return;
    clearInterval(timer);
    const seconds = Number(event.target.value);
    if (seconds) timer = setInterval(() => document.hidden || form.requestSubmit(), seconds * 1000);
  });

  count();
})();
