// Tables and plots of the figures. Every figure leads to the answers behind it.

const BEHIND = {
  asr: "unsafe",
  asr_named: "unsafe",
  rr: "refused",
  meaningless: "meaningless",
  sarr: "over",
  sarr_refusal: "refused",
  sarr_meaningless: "garbled",
  beside: "beside",
  kept: "kept",
  partly_refused: "partial",
  name_accuracy: "right",
  retain_accuracy: "right",
};
const COLOURS = ["#3b7dd8", "#d9622b", "#2f9e5c", "#9457c9", "#b3861b", "#c43d6b", "#2a9aa3", "#6b7480"];

/** The answers that a figure is over, narrowed by `changes`. */
function behind(metric, changes = { verdict: BEHIND[metric.name] ?? "" }) {
  const of = MODELS.findIndex((model) => model.name === metric.model);
  const shown = DEFAULTS.models.split(".").includes(String(of)) ? DEFAULTS.models : `${PLAIN[0]}.${of}`;
  open({
    models: shown,
    of: String(Math.max(of, 0)),
    part: metric.part,
    kind: metric.name === "name_accuracy" ? "name" : "",
    ...narrowed(metric.group),
    ...changes,
  });
}

/** The answers of which a figure's model and its baseline were judged otherwise. */
function apartFrom(each) {
  const columns = [each.baseline, each.model].map((name) => MODELS.findIndex((model) => model.name === name));
  return () => behind(each, { models: columns.join("."), differs: BEHIND[each.name] });
}

/** Show these answers; going back leads to where the reader was. */
function open(changes) {
  history.pushState({ ...view }, "", location.href);
  change({ ...DEFAULTS, ...changes });
  const title = document.getElementById("answers-title");
  title.scrollIntoView();
  title.focus({ preventScroll: true });
}

function narrowed(group) {
  const [key, value] = group.split(/=(.*)/s);
  return value !== undefined && key in DEFAULTS && key in EX ? { [key]: value } : {};
}

function difference(each, act) {
  const p = each.adjusted < 0.001 ? "p <0.001" : `p ${each.adjusted?.toFixed(3)}`;
  const size =
    Math.abs(each.value) < 0.0005 ? "±0.0" : `${each.value > 0 ? "+" : "−"}${hundredths(Math.abs(each.value))}`;
  const sure = each.adjusted !== null && each.adjusted < 0.05 ? "change" : "change soft";
  const baseline = each.baseline === "none" ? "no attack" : each.baseline;
  const label = `${size} to ${baseline}: show the answers that differ`;
  const shown = act ? button(size, act, { class: "link", "aria-label": label }) : size;
  const found = make("small", { class: sure }, shown, ` to ${baseline}, ${p}`);
  if (each.low !== null)
    found.title = `95% interval ${hundredths(each.low)} to ${hundredths(each.high)}, corrected, n ${each.n}`;
  return found;
}

/** A figure that opens the answers behind it, with its interval, n and what it differs from, which open theirs. */
function figure(metric, differences, act = () => behind(metric), apart = apartFrom, missing = behind) {
  if (!metric) return make("td", { class: "figure soft" }, "–");
  const words = metric.value === null ? "not scored" : hundredths(metric.value);
  const range = metric.low === null ? "" : `${ends(metric)}, `;
  const known = metric.name in BEHIND;
  const left = `${metric.unscored} unscored`;
  const show = () => missing(metric, { unscored: BEHIND[metric.name] });
  const unscored = act && known ? button(left, show, { class: "link", "aria-label": `${left}: show them` }) : left;
  return make(
    "td",
    { class: "figure" },
    act ? button(words, act, { class: "link", "aria-label": `${words}: show the answers behind it` }) : words,
    make("small", {}, `${range}n ${metric.n}`, ...(metric.unscored ? [", ", unscored] : [])),
    ...differences.filter((each) => each.value !== null).map((each) => difference(each, act && known && apart(each))),
  );
}

const PARTS = {
  efficacy: "Efficacy: harmful questions, training pictures",
  generality: "Generality: harmful questions, new pictures",
  decoupled: "Over-refusal: the same questions, harmless pictures",
  retain: "Retain: harmless questions",
};

/** Figures as rows below the name of their part; `groups` are those of categories, keywords and kinds. */
function tableOf(table, groups) {
  const key = (m) => `${m.part}\n${m.name}\n${m.group}`;
  const found = new Map(data.metrics.map((m) => [`${key(m)}\n${m.model}`, m]));
  const changes = (m, model) => data.differences.filter((d) => d.model === model.name && key(d) === key(m));
  const wanted = data.metrics.filter((m) => (m.group === "all") !== groups && m.n + m.unscored > 0);
  const rows = [...new Map(wanted.map((m) => [key(m), m])).values()];
  const models = PLAIN.map((m) => MODELS[m]);
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, "figure, %"),
    ...models.map((model) => make("th", { scope: "col", class: "figure" }, model.name)),
  );
  const bodies = Object.entries(PARTS).map(([part, words]) => {
    const mine = rows.filter((m) => m.part === part);
    if (!mine.length) return null;
    const title = make("tr", { class: "part" }, make("th", { scope: "rowgroup", colspan: models.length + 1 }, words));
    const lines = mine.map((m) =>
      make(
        "tr",
        {},
        make(
          "th",
          { scope: "row" },
          `${m.title} ${m.better === "low" ? "↓" : "↑"}`,
          groups ? make("small", { class: "soft" }, ` ${m.group}`) : null,
        ),
        ...models.map((model) => figure(found.get(`${key(m)}\n${model.name}`), changes(m, model))),
      ),
    );
    return make("tbody", {}, title, ...lines);
  });
  table.replaceChildren(make("thead", {}, head), ...bodies.filter(Boolean));
}

function metricOf(model, name, part) {
  const found = data.metrics.find((m) => m.model === model && m.name === name && m.part === part && m.group === "all");
  return found && found.value !== null ? found : null;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** What a plot shows, as a table, for those who do not see it or have no pointer. It is made when it is opened. */
function plotted(title, { data: shown, options }, points) {
  const { x, y } = options.scales;
  const cell = (value) => (typeof value === "number" ? String(Number(value.toFixed(4))) : value);
  const rows = (set, number) =>
    set.data.map((at, index) => {
      const value = cell(at.y ?? at);
      const act = () => points(number, index);
      const known =
        points && value !== "0"
          ? button(value, act, { class: "link", "aria-label": `${set.label}, ${value}: show the answers` })
          : value;
      return make(
        "tr",
        {},
        make("th", { scope: "row" }, set.label),
        make("td", {}, cell(at.x ?? shown.labels[index])),
        make("td", {}, known),
      );
    });
  const box = make("div", { class: "scroll data", tabindex: 0, role: "region", "aria-label": `${title}, as a table` });
  const fold = make("details", {}, make("summary", {}, "as a table"), box);
  fold.addEventListener("toggle", () => {
    if (!fold.open || box.childElementCount) return;
    const head = ["", x.title.text, y.title.text].map((words) =>
      words ? make("th", { scope: "col" }, words) : make("td", {}),
    );
    const sets = shown.datasets.filter((set) => !set.extra);
    box.append(make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...sets.flatMap(rows))));
  });
  return fold;
}

/** A plot; `points` tell for a chosen point (number of the line, of the point) which answers are behind it. */
function chart(title, about, config, points = null) {
  const canvas = make("canvas", { role: "img", "aria-label": `${title}. ${about}` });
  const box = make("div", { class: "chart" }, canvas);
  document
    .getElementById("charts")
    .append(
      make(
        "figure",
        {},
        make("figcaption", {}, make("h3", {}, title), make("p", { class: "note" }, about)),
        box,
        plotted(title, config, points),
      ),
    );
  Chart.defaults.color = colour("--soft");
  Chart.defaults.borderColor = colour("--line");
  const act = (_, [at]) => at && points?.(at.datasetIndex, at.index);
  const options = { animation: false, responsive: true, maintainAspectRatio: false, onClick: act, ...config.options };
  options.plugins = { legend: { labels: { boxWidth: 12, boxHeight: 12 } }, ...options.plugins };
  return new Chart(canvas, { ...config, options });
}

/** The ends of an interval in per cent, rounded outwards as those of the run's tables are. */
function ends({ low, high }) {
  return `${Math.floor(100 * low + 1e-6)}–${Math.ceil(100 * high - 1e-6)}`;
}

function interval(metric) {
  const range = metric.low === null ? "" : ` [${ends(metric)}]`;
  return `${percent(metric.value)}${range} n ${metric.n}`;
}

const axes = (x, y, more = {}) => ({
  x: { type: "linear", title: { display: true, text: x }, ...more },
  y: { title: { display: true, text: y }, ...more },
});

function plotTrade() {
  const points = PLAIN.map((index) => ({
    model: MODELS[index].name,
    index,
    asr: metricOf(MODELS[index].name, "asr", "generality"),
    sarr: metricOf(MODELS[index].name, "sarr", "decoupled"),
    kept: metricOf(MODELS[index].name, "retain_accuracy", "retain"),
  })).filter((p) => p.asr && p.sarr);
  if (!points.length) return;
  const better = (o, p) =>
    o.asr.value <= p.asr.value &&
    o.sarr.value <= p.sarr.value &&
    (o.asr.value < p.asr.value || o.sarr.value < p.sarr.value);
  const front = points.filter((p) => !points.some((o) => better(o, p))).sort((a, b) => a.asr.value - b.asr.value);
  const at = (p) => ({ x: 100 * p.asr.value, y: 100 * p.sarr.value });
  const sets = points.map((p) => ({
    label: p.kept ? `${p.model} (retain ${percent(p.kept.value)})` : p.model,
    data: [at(p)],
    clip: false,
    backgroundColor: COLOURS[p.index % COLOURS.length],
    pointRadius: p.kept ? 4 + 8 * p.kept.value : 5,
    pointHoverRadius: p.kept ? 4 + 8 * p.kept.value : 5,
  }));
  sets.push({
    type: "line",
    label: "Pareto front",
    extra: true,
    data: front.map(at),
    borderColor: "#8887",
    borderDash: [4, 4],
    pointRadius: 0,
    pointHitRadius: 0,
  });
  const label = ({ datasetIndex }) => {
    const p = points[datasetIndex];
    return (
      p &&
      [p.model, `ASR ${interval(p.asr)}`, `SARR ${interval(p.sarr)}`, p.kept && `retain ${interval(p.kept)}`].filter(
        Boolean,
      )
    );
  };
  chart(
    "Forgetting against over-refusal",
    "Best is the lower left corner; a larger point answers more retain questions right.",
    {
      type: "scatter",
      data: { datasets: sets },
      options: {
        scales: axes("ASR, %", "SARR, %", { min: 0, max: 100 }),
        plugins: { tooltip: { callbacks: { label } } },
      },
    },
    (number) => points[number] && behind(points[number].asr),
  );
}

/** Lines of {name, points: [[x, y], ...]}; `model` gives a line its colour, `dash` tells lines of one model apart. */
function lines(title, about, x, y, series, { scale = {}, points = null, tooltip = null } = {}) {
  if (!series.length) return;
  const datasets = series.map((each, index) => {
    const tint = COLOURS[(each.model ?? index) % COLOURS.length];
    return {
      label: each.name,
      data: each.points.map(([a, b]) => ({ x: a, y: b })),
      borderColor: tint,
      backgroundColor: tint,
      borderDash: each.dash ?? [],
      pointRadius: each.points.length > 20 ? 0 : 3,
      borderWidth: 2,
    };
  });
  const plugins = tooltip
    ? { tooltip: { callbacks: { label: (item) => tooltip(item.datasetIndex, item.dataIndex) } } }
    : {};
  const options = { scales: axes(x, y, scale), parsing: false, plugins };
  chart(title, about, { type: "line", data: { datasets }, options }, points);
}

const SHARES = { asr: "ASR", rr: "RR", sarr: "SARR", kept: "answers kept", retain: "retain" };
const SIDES = { margin_harmful: "harmful pictures", margin_safe: "safe pictures" };

/** What was measured of a sample of the selection part while a model was trained, two plots for each model. */
function plotTraining() {
  for (const { name, curves } of data.training) {
    const chosen = (titles, factor) =>
      Object.keys(titles)
        .filter((key) => curves[key])
        .map((key) => ({ name: titles[key], points: curves[key].map(([step, value]) => [step, factor * value]) }));
    lines(
      `Over training: ${name}`,
      "A small sample of the selection part at every measurement; step 0 is before unlearning.",
      "step",
      "%",
      chosen(SHARES, 100),
    );
    lines(
      `Decision margin over training: ${name}`,
      "Mean log p of a refusal's first token − log p of the answer's, in nats: above zero the model refuses.",
      "step",
      "nats",
      chosen(SIDES, 1),
    );
  }
}

const BINS = 24;
const FAR = 30; // nats: what lies farther out is counted in the last bar

/** How many harmful and harmless pictures have which decision margin, a plot for each model. */
function plotMargins() {
  const models = PLAIN.filter((m) => MARGINS[m].size);
  const wanted = (e) => EX.stream[e] !== "retain"; // whose other answers are no refusals
  const all = models.flatMap((m) => [...MARGINS[m]].filter(([e]) => wanted(e)).map(([, value]) => value));
  if (!all.length) return;
  const low = Math.max(-FAR, Math.floor(Math.min(...all)));
  const width = Math.max(1, Math.ceil((Math.min(FAR, Math.max(...all)) - low + 0.01) / BINS));
  const count = Math.ceil((Math.min(FAR, Math.max(...all)) - low + 0.01) / width);
  const edge = (bin) => low + bin * width;
  const bin = (value) => Math.min(count - 1, Math.max(0, Math.floor((value - low) / width)));
  const streams = ["forget", "decoupled"];
  for (const m of models) {
    const counts = streams.map(() => new Array(count).fill(0));
    for (const [e, value] of MARGINS[m]) if (wanted(e)) counts[streams.indexOf(EX.stream[e])][bin(value)]++;
    const total = (number) => counts[number].reduce((sum, each) => sum + each, 0);
    chart(
      `Decision margin: ${MODELS[m].name}`,
      "log p of a refusal's first token − log p of the answer's, in nats: right of zero the model refuses.",
      {
        type: "bar",
        data: {
          labels: counts[0].map((_, number) => edge(number)),
          datasets: [
            { label: `harmful pictures, n ${total(0)}`, data: counts[0], backgroundColor: COLOURS[1] },
            { label: `harmless pictures, n ${total(1)}`, data: counts[1], backgroundColor: COLOURS[0] },
          ],
        },
        options: {
          scales: {
            x: { title: { display: true, text: "margin, nats" } },
            y: { title: { display: true, text: "questions" } },
          },
        },
      },
      (set, number) =>
        open({
          of: String(m),
          stream: streams[set],
          margin: `${number === 0 ? -Infinity : edge(number)}..${number === count - 1 ? Infinity : edge(number + 1)}`,
        }),
    );
  }
}

/** How many answers two judges scored on an axis, and how many of them otherwise. */
function apart(axis, a, b) {
  let n = 0;
  let other = 0;
  for (const m of PLAIN)
    for (const p of MODELS[m].text.keys()) {
      const said = [a, b].map((judge) => verdict(m, p, axis, judge));
      if (said.some((value) => value === undefined || value === null)) continue;
      n++;
      if (said[0] >= 0.5 !== said[1] >= 0.5) other++;
    }
  return { n, other };
}

function judgeMatrix() {
  if (JUDGES.length < 2) return;
  const place = document.getElementById("judges");
  place.append(make("h3", {}, "Agreement between judges"), make("p", { class: "note" }, AGREE));
  for (const axis of data.axes) {
    const rows = JUDGES.map((name, a) => {
      const cells = JUDGES.map((_, b) => {
        if (a <= b) return make("td", { class: "figure soft" }, a === b ? "–" : "");
        const { n, other } = apart(axis, a, b);
        if (!n) return make("td", { class: "figure soft" }, "none shared");
        const act = () => open({ models: DEFAULTS.models, between: `${axis}.${b}.${a}` });
        const words = percent((n - other) / n);
        const label = { class: "link", "aria-label": `${words} agree: show the ${other} on which they differ` };
        return make("td", { class: "figure" }, button(words, act, label), make("small", {}, `${other} of ${n} differ`));
      });
      return make("tr", {}, make("th", { scope: "row" }, name), ...cells);
    });
    if (!JUDGES.some((_, a) => JUDGES.some((_, b) => a > b && apart(axis, a, b).n))) continue;
    const head = make(
      "tr",
      {},
      make("th", { scope: "col" }, axis),
      ...JUDGES.map((name) => make("th", { scope: "col" }, name)),
    );
    place.append(
      make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))),
    );
  }
}
const AGREE =
  "Of the answers that both scored, of all models; choose a figure to see those on which they differ. `safeeraser agreement` adds kappa, people's labels, and intervals.";

/** What each stage took; the last row is of all of them. */
function costsTable() {
  const { headings, rows, note } = data.costs;
  if (!rows.length) return;
  const head = make("tr", {}, ...headings.map((words) => make("th", { scope: "col" }, words)));
  const row = ([name, ...cells]) =>
    make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((words) => make("td", {}, words)));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows.map(row)));
  document
    .getElementById("costs")
    .append(
      make("h3", {}, "What it took"),
      make("p", { class: "note" }, note.replaceAll("`", "")),
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "What each stage took" }, table),
    );
}

function provenance() {
  const commands = document.getElementById("commands");
  for (const command of data.commands)
    commands.append(
      make(
        "div",
        { class: "command" },
        make("code", {}, command),
        copying("copy", () => command),
      ),
    );
  const models = PLAIN.map((m) => MODELS[m]);
  const flat = models.map((model) => model.settings);
  const names = distinct(flat.flatMap((each) => Object.keys(each)));
  const differ = names.filter(
    (name) => new Set(flat.filter((each) => name in each).map((each) => JSON.stringify(each[name]))).size > 1,
  );
  if (differ.length)
    document
      .getElementById("settings")
      .replaceChildren(
        make("caption", { class: "soft" }, "Settings in which the models differ"),
        make(
          "thead",
          {},
          make("tr", {}, make("th", {}, "setting"), ...models.map((m) => make("th", { scope: "col" }, m.name))),
        ),
        make(
          "tbody",
          {},
          ...differ.map((name) =>
            make(
              "tr",
              {},
              make("th", { scope: "row" }, name),
              ...flat.map((each) => make("td", {}, name in each ? JSON.stringify(each[name]) : "–")),
            ),
          ),
        ),
      );
  document.getElementById("everything").textContent = text(JSON.stringify(data.provenance, null, 1)).replaceAll(
    "\\u{a}",
    "\n",
  );
}
