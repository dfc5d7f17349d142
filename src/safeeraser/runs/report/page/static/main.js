// Start: theme, figures, plots, answers.

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  remember("theme", theme);
}

function drawPlots() {
  document.getElementById("charts").replaceChildren();
  plotTrade();
  lines(
    "Training loss",
    "Each method's loss at every step; methods have different losses, so heights do not compare.",
    "step",
    "loss",
    data.training,
  );
  lines("Recovery under attack", "ASR after an attack of growing budget.", "budget", "ASR, %", data.recovery, {});
  plotMargins();
}

setTheme(remembered("theme", matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
document.getElementById("theme").addEventListener("click", () => {
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  drawPlots();
});
document.getElementById("summary").textContent = text(data.summary);
document.addEventListener("keydown", keys);
window.addEventListener("hashchange", () => {
  if (location.hash.includes("?")) {
    readAddress();
    buildForm();
    draw();
  }
});
tableOf(document.getElementById("overview"), "All questions", false);
document.getElementById("groups-box").addEventListener("toggle", (event) => {
  if (event.target.open) tableOf(document.getElementById("groups"), "Narrowed", true);
});
heatMap();
judgeMatrix();
provenance();
readAddress();
buildForm();
draw();
drawPlots();
