// Start: theme, figures, plots, answers.

function drawPlots() {
  document.getElementById("charts").replaceChildren();
  plotTrade();
  lines(
    "Training loss",
    "Each method's loss at every step; methods have different losses, so heights do not compare.",
    "step",
    "loss",
    data.training.map((each) => ({ ...each, model: MODELS.findIndex((model) => model.name === each.name) })),
  );
  plotTraining();
  plotRecovery();
  plotTrials();
  plotMargins();
}

themed(drawPlots);
document.getElementById("summary").textContent = text(data.summary);
document.addEventListener("keydown", keys);
window.addEventListener("hashchange", () => {
  if (location.hash.includes("?")) {
    readAddress();
    show();
  }
});
window.addEventListener("popstate", ({ state }) => {
  if (!state) return; // a link within the page
  view = { ...DEFAULTS, ...state };
  show();
});
window.addEventListener("beforeprint", beforePrint);
document.getElementById("notes").append(...data.notes.map((words) => make("li", {}, words)));
tableOf(document.getElementById("overview"), false);
document.getElementById("groups-box").addEventListener("toggle", (event) => {
  if (event.target.open) tableOf(document.getElementById("groups"), true);
});
attackSection();
trialSection();
judgeMatrix();
provenance();
costsTable();
readAddress();
history.replaceState({ ...view }, "", location.href);
show();
drawPlots();
