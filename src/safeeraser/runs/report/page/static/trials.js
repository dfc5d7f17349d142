// Trials of a sweep: what was tried for each method, and the objective trial by trial.

const TRIED = { objective: "objective", ...SHARES };

/** A trial; the best of its method leads to its answers, which are all that the page has. */
function trialRow({ method, number, best, figures, parameters, ended }) {
  const label = `trial ${number} of ${method}, the best: show its answers`;
  const act = () => open({ of: String(MODELS.findIndex((each) => each.name === method)) });
  const name = best ? button(`${number} (best)`, act, { class: "link", "aria-label": label }) : String(number);
  const cells = Object.keys(TRIED).map((key) =>
    make("td", { class: "figure" }, figures[key] === undefined ? "–" : hundredths(figures[key])),
  );
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, method),
    make("td", {}, name),
    ...cells,
    make("td", {}, parameters),
    make("td", {}, ended),
  );
}

function trialSection() {
  if (!data.trials.length) return;
  const section = document.getElementById("trials");
  section.hidden = false;
  document.getElementById("to-trials").hidden = false;
  const names = ["method", "trial", ...Object.values(TRIED), "hyper-parameters", "how it ended"];
  const head = make("tr", {}, ...names.map((words) => make("th", { scope: "col" }, words)));
  const ranked = [...data.trials].sort((a, b) => (b.figures.objective ?? -1) - (a.figures.objective ?? -1));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...ranked.map(trialRow)));
  section.append(
    make("p", { class: "note" }, "Per cent of the selection part, best objective first."),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Every trial" }, table),
  );
}

/** The objective of each method's finished trials, in the order in which they were begun. */
function plotTrials() {
  const ended = data.trials.filter((each) => each.figures.objective !== undefined);
  const series = distinct(ended.map((each) => each.method)).map((method) => ({
    name: method,
    model: MODELS.findIndex((each) => each.name === method),
    points: ended
      .filter((each) => each.method === method)
      .sort((a, b) => a.number - b.number)
      .map((each) => [each.number, 100 * each.figures.objective]),
  }));
  lines("Objective of each trial", "On the selection part; higher is better.", "trial", "%", series);
}
