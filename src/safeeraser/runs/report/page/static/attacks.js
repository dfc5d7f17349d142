// Attacks: a heat map of attacks and models for each figure, what was not run, and ASR over the budget of an attack.

const UNDER_ATTACK = {
  asr: ["ASR", "generality", "low", "harmful questions that are done as asked"],
  asr_named: [
    "ASR, the thing named",
    "generality",
    "low",
    "harmful questions that are done as asked, about the thing that is asked about: it is named",
  ],
  rr: ["RR", "generality", "high", "harmful questions that are refused"],
  sarr: ["SARR", "decoupled", "low", "the same questions about harmless pictures, refused or garbled"],
  retain_accuracy: ["retain", "retain", "high", "harmless questions that are answered right"],
  recovered: ["recovered", "generality", "low", "of what unlearning took away, the share that the attack brings back"],
  begun_harmful: [
    "harmful answer, once begun",
    "generality",
    "low",
    "how likely it goes on once it has begun; no answer is asked for",
  ],
  begun_harmless: [
    "harmless answer, once begun",
    "decoupled",
    "high",
    "how likely it goes on once it has begun; no answer is asked for",
  ],
  probe: [
    "probe",
    "generality",
    "low",
    "how often a linear probe of the last token tells harmful pictures from harmless ones",
  ],
  probe_control: ["probe, random labels", "generality", "low", "the same with labels drawn at random"],
  selectivity: ["selectivity", "generality", "low", "the probe less its control"],
};
const READ = ["begun_harmful", "begun_harmless", "probe", "probe_control", "selectivity"]; // in the model: no answers

/** The answers behind a figure: the attacked model beside the same model left alone. */
function openAttack(found, name, changes = null) {
  const m = MODELS.findIndex((each) => same(each.attack, [found.attack, found.point, found.model]));
  const [, part] = UNDER_ATTACK[name];
  const narrow = changes ?? (name === "recovered" ? { transition: "recovered" } : { verdict: BEHIND[name] });
  if (m >= 0) open({ models: beside(m), of: String(m), part, ...narrow });
}

const same = (one, other) => Boolean(one) && one.every((each, index) => each === other[index]);
const titled = (each) =>
  each.attack === "none" ? "no attack" : each.variant === each.attack ? each.attack : `${each.attack} ${each.variant}`;

function heatCell(found, name) {
  const metric = found?.figures[name];
  if (!metric) return make("td", { class: "figure soft" }, "–");
  const differences = found.differences.filter((each) => each.name === name);
  const cell = figure(
    metric,
    differences,
    READ.includes(name) ? null : () => openAttack(found, name),
    () => () => openAttack(found, name, { differs: BEHIND[name] }),
    (_, changes) => openAttack(found, name, changes),
  );
  if (metric.value === null) return cell;
  const bad = UNDER_ATTACK[name][2] === "low" ? metric.value : 1 - metric.value;
  cell.style.background = `color-mix(in srgb, var(--bad-ground) ${Math.round(100 * Math.min(1, Math.max(0, bad)))}%, var(--good-ground))`;
  return cell;
}

function heatMap(name) {
  const rows = [...new Set(data.attacks.filter((each) => each.figures[name]).map(titled))];
  const models = [...new Set(data.attacks.map((each) => each.model))];
  const at = new Map(data.attacks.map((each) => [`${titled(each)}\n${each.model}`, each]));
  const head = make("tr", {}, ...["attack", ...models].map((words) => make("th", { scope: "col" }, words)));
  const body = rows.map((row) => {
    const cells = models.map((model) => heatCell(at.get(`${row}\n${model}`), name));
    return make("tr", {}, make("th", { scope: "row" }, row), ...cells);
  });
  const table = make("table", { id: "heat" }, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Attacks and models" }, table);
}

function attackSection() {
  if (!data.attacks.length) return;
  const section = document.getElementById("attacks");
  section.hidden = false;
  document.getElementById("to-attacks").hidden = false;
  const place = make("div", {}, heatMap("asr"));
  const about = make("span", { class: "note" }, UNDER_ATTACK.asr[3]);
  const show = (event) => {
    place.replaceChildren(heatMap(event.target.value));
    about.textContent = UNDER_ATTACK[event.target.value][3];
  };
  const choice = make("select", { id: "heat-figure", on: { change: show } });
  const measured = (name) => data.attacks.some((each) => each.figures[name]);
  for (const [name, [words, , better]] of Object.entries(UNDER_ATTACK).filter(([name]) => measured(name)))
    choice.append(make("option", { value: name }, `${words} ${better === "low" ? "↓" : "↑"}`));
  section.append(
    make(
      "p",
      { class: "note" },
      "Per cent of n questions on pictures and keywords that neither unlearning nor the attacker has seen. Red is bad for safety or use. Choose a figure to see the attacked model beside the same model left alone.",
    ),
    make("p", {}, make("label", { for: "heat-figure" }, "figure ", choice), " ", about),
    place,
  );
  if (data.notRun.length)
    section.append(
      make(
        "details",
        {},
        make("summary", {}, `${data.notRun.length} not run, which says nothing about whether a model withstands them`),
        make("ul", {}, ...data.notRun.map((words) => make("li", {}, words))),
      ),
    );
}

const BUDGETS = { relearn: "steps of training", prefill: "tokens put into its mouth", quantise: "bits" };
const DRAWN = { asr: "ASR", probe: "Probe" };

/** Figures over the budget of an attack, with a line for each model and series. */
function plotRecovery() {
  const plots = new Set(data.recovery.map((each) => `${each.measure}\n${each.attack}`));
  for (const plot of plots) {
    const [measure, attack] = plot.split("\n");
    plotBudget(
      measure,
      attack,
      data.recovery.filter((each) => each.measure === measure && each.attack === attack),
    );
  }
}

function plotBudget(measure, attack, mine) {
  const dashes = [[], [6, 3], [2, 3], [8, 3, 2, 3]];
  const sizes = [...new Set(mine.map((each) => each.of))];
  const series = mine.map((each) => ({
    name: attack.startsWith("relearn") ? `${each.model}, ${each.of} examples` : `${each.model} ${each.of}`,
    model: PLAIN.findIndex((m) => MODELS[m].name === each.model),
    dash: dashes[sizes.indexOf(each.of) % dashes.length],
    points: each.points.map(([x, y]) => [x, 100 * y]),
  }));
  const tooltip = (line, at) => {
    const [x, value, low, high, n] = mine[line].points[at];
    return `${series[line].name} at ${x}: ${interval({ value, low, high, n })}`;
  };
  const points = (line, at) => {
    const { of, model, points: all } = mine[line];
    const [x] = all[at];
    const names = of ? [`${of}x${x}`, `${of}=${x}`] : [String(x)];
    const here = (each) => (x ? each.attack === attack && names.includes(each.variant) : each.attack === "none");
    const found = data.attacks.find((each) => each.model === model && here(each));
    if (found && measure === "asr") openAttack(found, "asr");
  };
  const x = Object.entries(BUDGETS).find(([name]) => attack.startsWith(name))?.[1] ?? "budget";
  const about =
    measure === "asr" ? "Of harmful questions; at 0 nothing is attacked." : "Share that a linear probe gets right.";
  lines(`${DRAWN[measure]} under ${attack}`, about, x, "%", series, { scale: {}, points, tooltip });
}
