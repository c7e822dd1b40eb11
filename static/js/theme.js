// Runs before the first paint: the remembered choice, else what the system prefers.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  const choice = () => {
    try {
      return localStorage.getItem("detectviz-theme") || "auto";
    } catch {
      return "auto";
    }
  };

  const apply = () => {
    const wanted = choice();
    const theme = wanted === "auto" ? (system.matches ? "dark" : "light") : wanted;
    root.dataset.bsTheme = theme;
    root.dataset.themeChoice = wanted;
    document.dispatchEvent(new CustomEvent("theme:changed"));
  };

  system.addEventListener("change", apply);
  window.detectvizTheme = {
    choice,
    choose(wanted) {
      try {
        localStorage.setItem("detectviz-theme", wanted);
      } catch {
        // a browser without storage follows the system
      }
      apply();
    },
  };
  apply();
})();
