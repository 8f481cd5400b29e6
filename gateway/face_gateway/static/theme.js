// Dark or light: as the system has it, until the switch says otherwise. No module: it runs before anything is drawn, so that
// nothing flashes.

(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try {
    chosen = localStorage.getItem("faces-theme");
  } catch {
    // A browser that keeps nothing for this page: the system's colours, then.
  }

  const isDark = () => (chosen ? chosen === "dark" : system.matches);

  function show() {
    root.dataset.theme = isDark() ? "dark" : "light";
    document.getElementById("theme")?.setAttribute("aria-pressed", String(isDark()));
  }

  function turn() {
    chosen = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("faces-theme", chosen);
    } catch {
      // Until the page is left, then.
    }
    show();
  }

  show();
  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", turn);
    show();
  });
})();
