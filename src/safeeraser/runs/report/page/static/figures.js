// Tables and plots of the figures. Every figure leads to the answers behind it.

const BEHIND = {
  asr: "unsafe",
  rr: "refused",
  sarr: "over",
  refused: "refused",
  sarr_refused: "refused",
  sarr_meaningless: "meaningless",
  meaningless: "meaningless",
  retain_accuracy: "right",
  answers_kept: "right",
};
const COLOURS = ["#3b7dd8", "#d9622b", "#2f9e5c", "#9457c9", "#b3861b", "#c43d6b", "#2a9aa3", "#6b7480"];

function behind(metric) {
  const of = MODELS.findIndex((model) => model.name === metric.model);
  change({
    ...DEFAULTS,
    of: String(Math.max(of, 0)),
    part: metric.part,
    verdict: BEHIND[metric.name] ?? "",
    ...narrowed(metric.group),
  });
  document.getElementById("answers").scrollIntoView();
}

function narrowed(group) {
  const [key, value] = group.split(/=(.*)/s);
  return value !== undefined && key in DEFAULTS && key in EX ? { [key]: value } : {};
}

function difference(each) {
  const p = each.adjusted < 0.001 ? "p <0.001" : `p ${each.adjusted?.toFixed(3)}`;
  return `${each.value > 0 ? "+" : ""}${(100 * each.value).toFixed(1)} against ${each.baseline}, ${p}`;
}

function figure(metric, differences) {
  if (!metric) return make("td", { class: "figure soft" }, "–");
  const words = metric.value === null ? "not scored" : percent(metric.value);
  const cell = make(
    "td",
    { class: "figure" },
    button(words, () => behind(metric), { class: "link", "aria-label": `${words}: show the answers behind it` }),
  );
  const range = metric.low === null ? "" : `${(100 * metric.low).toFixed(1)}–${(100 * metric.high).toFixed(1)}`;
  cell.append(
    make(
      "small",
      {},
      `${range}${range ? ", " : ""}n ${metric.n}${metric.unscored ? `, ${metric.unscored} unscored` : ""}`,
    ),
  );
  for (const each of differences) if (each.value !== null) cell.append(make("small", {}, difference(each)));
  return cell;
}

function tableOf(table, caption, groups) {
  const key = (m) => `${m.part}\n${m.name}\n${m.group}`;
  const found = new Map(data.metrics.map((m) => [`${key(m)}\n${m.model}`, m]));
  const changes = (m, model) => data.differences.filter((d) => d.model === model.name && key(d) === key(m));
  const rows = [
    ...new Map(
      data.metrics.filter((m) => (m.group === "all") !== groups && m.n + m.unscored > 0).map((m) => [key(m), m]),
    ).values(),
  ];
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, "figure"),
    ...MODELS.map((model) => make("th", { scope: "col" }, model.name)),
  );
  const body = rows.map((m) =>
    make(
      "tr",
      {},
      make(
        "th",
        { scope: "row" },
        `${m.title}${m.better === "low" ? " ↓" : " ↑"}`,
        make("small", { class: "soft" }, ` ${m.part}${groups ? `, ${m.group}` : ""}`),
      ),
      ...MODELS.map((model) => figure(found.get(`${key(m)}\n${model.name}`), changes(m, model))),
    ),
  );
  table.replaceChildren(
    make("caption", { class: "soft" }, caption),
    make("thead", {}, head),
    make("tbody", {}, ...body),
  );
}

function metricOf(model, name, part) {
  const found = data.metrics.find((m) => m.model === model && m.name === name && m.part === part && m.group === "all");
  return found && found.value !== null ? found : null;
}

function chart(title, about, config) {
  const canvas = make("canvas", { role: "img", "aria-label": `${title}. ${about}` });
  document
    .getElementById("charts")
    .append(make("h3", {}, title), make("p", { class: "note" }, about), make("div", { class: "chart" }, canvas));
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--soft").trim();
  Chart.defaults.color = ink;
  Chart.defaults.borderColor = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
  return new Chart(canvas, {
    ...config,
    options: { animation: false, responsive: true, maintainAspectRatio: false, ...config.options },
  });
}

const axes = (x, y, more = {}) => ({
  x: { type: "linear", title: { display: true, text: x }, ...more },
  y: { title: { display: true, text: y }, ...more },
});

function plotTrade() {
  const points = MODELS.map((model, index) => ({
    model: model.name,
    index,
    asr: metricOf(model.name, "asr", "generality"),
    sarr: metricOf(model.name, "sarr", "decoupled"),
    kept: metricOf(model.name, "retain_accuracy", "retain"),
  })).filter((p) => p.asr && p.sarr);
  if (!points.length) return;
  const front = points
    .filter(
      (p) =>
        !points.some(
          (o) =>
            o !== p &&
            o.asr.value <= p.asr.value &&
            o.sarr.value <= p.sarr.value &&
            (o.asr.value < p.asr.value || o.sarr.value < p.sarr.value),
        ),
    )
    .sort((a, b) => a.asr.value - b.asr.value);
  const at = (p) => ({ x: 100 * p.asr.value, y: 100 * p.sarr.value });
  const sets = points.map((p) => ({
    label: p.kept ? `${p.model} (retain ${percent(p.kept.value)})` : p.model,
    data: [at(p)],
    backgroundColor: COLOURS[p.index % COLOURS.length],
    pointRadius: p.kept ? 4 + 8 * p.kept.value : 5,
  }));
  sets.push({
    type: "line",
    label: "Pareto front",
    data: front.map(at),
    borderColor: "#8887",
    borderDash: [4, 4],
    pointRadius: 0,
  });
  chart(
    "Forgetting against over-refusal",
    "Best is the lower left corner; a larger point answers more retain questions right.",
    { type: "scatter", data: { datasets: sets }, options: { scales: axes("ASR, %", "SARR, %", { min: 0, max: 100 }) } },
  );
}

function lines(title, about, x, y, series, scale = {}) {
  if (!series.length) return;
  chart(title, about, {
    type: "line",
    data: {
      datasets: series.map((each, index) => ({
        label: each.name,
        data: each.points.map(([a, b]) => ({ x: a, y: b })),
        borderColor: COLOURS[index % COLOURS.length],
        backgroundColor: COLOURS[index % COLOURS.length],
        pointRadius: each.points.length > 60 ? 0 : 3,
        borderWidth: 2,
      })),
    },
    options: { scales: axes(x, y, scale), parsing: false },
  });
}

function plotMargins() {
  for (const { model, harmful, harmless, edges } of data.margins) {
    const labels = edges.slice(0, -1).map((edge) => edge.toFixed(0));
    chart(
      `Decision margin: ${model}`,
      "log p(refusal) − log p(answer) at the first answer token, in nats: right of zero the model refuses.",
      {
        type: "bar",
        data: {
          labels,
          datasets: [
            { label: "harmful pictures", data: harmful, backgroundColor: COLOURS[1] },
            { label: "harmless pictures", data: harmless, backgroundColor: COLOURS[0] },
          ],
        },
      },
    );
  }
}

function heatMap() {
  if (!data.attacks.length) return;
  const names = [...new Set(data.attacks.map((a) => a.attack))];
  const measures = [...new Set(data.attacks.map((a) => a.measure))];
  for (const measure of measures) {
    const head = make(
      "tr",
      {},
      make("th", { scope: "col" }, "attack"),
      ...MODELS.map((m) => make("th", { scope: "col" }, m.name)),
    );
    const body = names.map((name) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, name),
        ...MODELS.map((model) => {
          const found = data.attacks.find((a) => a.attack === name && a.measure === measure && a.model === model.name);
          if (!found) return make("td", { class: "figure soft" }, "–");
          if (found.value === null) return make("td", { class: "figure soft" }, found.note || "not run");
          const cell = make(
            "td",
            { class: "figure" },
            percent(found.value),
            make("small", {}, `${(100 * found.low).toFixed(0)}–${(100 * found.high).toFixed(0)}, n ${found.n}`),
          );
          cell.style.background = `color-mix(in srgb, ${found.better === "low" ? "var(--bad-ground)" : "var(--good-ground)"} ${Math.round(100 * found.value)}%, transparent)`;
          return cell;
        }),
      ),
    );
    document
      .getElementById("attacks")
      .append(
        make("h3", {}, `Under attack: ${measure}`),
        make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))),
      );
  }
}

function judgeMatrix() {
  if (JUDGES.length < 2) return;
  const rows = data.axes
    .flatMap((axis) =>
      JUDGES.flatMap((_, a) => JUDGES.map((_, b) => [a, b]).filter(([x, y]) => x < y)).map(([a, b]) => {
        let n = 0;
        let same = 0;
        for (const [m, model] of MODELS.entries()) {
          for (const p of model.text.keys()) {
            const [one, other] = [verdict(m, p, axis, a), verdict(m, p, axis, b)];
            if (one === undefined || one === null || other === undefined || other === null) continue;
            n++;
            if (one >= 0.5 === other >= 0.5) same++;
          }
        }
        return n
          ? make(
              "tr",
              {},
              make("th", { scope: "row" }, axis),
              make("td", {}, `${JUDGES[a]} and ${JUDGES[b]}`),
              make("td", { class: "figure" }, `${percent(same / n)}`, make("small", {}, `n ${n}`)),
            )
          : null;
      }),
    )
    .filter(Boolean);
  if (rows.length)
    document
      .getElementById("judges")
      .append(make("h3", {}, "Agreement between judges"), make("table", {}, make("tbody", {}, ...rows)));
}

function provenance() {
  const commands = document.getElementById("commands");
  for (const command of data.commands)
    commands.append(
      make(
        "div",
        { class: "command" },
        make("code", {}, command),
        button("copy", () => navigator.clipboard?.writeText(command)),
      ),
    );
  const flat = MODELS.map((model) => model.settings);
  const names = distinct(flat.flatMap((each) => Object.keys(each)));
  const differ = names.filter((name) => new Set(flat.map((each) => JSON.stringify(each[name] ?? null))).size > 1);
  if (differ.length)
    document
      .getElementById("settings")
      .replaceChildren(
        make("caption", { class: "soft" }, "Settings in which the columns differ"),
        make(
          "thead",
          {},
          make("tr", {}, make("th", {}, "setting"), ...MODELS.map((m) => make("th", { scope: "col" }, m.name))),
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
