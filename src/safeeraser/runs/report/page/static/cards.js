// Cards of answers, drawn as they come into view, and the form that filters them.

const TONES = {
  unsafe: { 1: "bad", 0: "" },
  refusal: { 1: "", 0: "" }, // good of a harmful question, bad of others
  partial: { 1: "warn", 0: "" },
  meaningless: { 1: "warn", 0: "" },
  factual: { 1: "good", 0: "bad" },
};
const LABELS = {
  unsafe: ["not unsafe", "unsafe"],
  refusal: ["no refusal", "refusal"],
  partial: ["", "refuses a part"], // said where it is so
  meaningless: ["", "meaningless"],
  factual: ["wrong", "right"],
};
let cards = [];
const picked = new Map(); // samples that were switched to, by model and question

/** The words of a text that its base lacks, by the longest common subsequence; long texts are compared by their first words. */
function differing(base, other) {
  const [a, b] = [base, other].map((each) => each.split(/(\s+)/).slice(0, 400));
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
  const marks = new Array(b.length).fill(true);
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      marks[j] = false;
      i++;
      j++;
    } else if (common[i + 1][j] >= common[i][j + 1]) i++;
    else j++;
  }
  return b.map((word, index) =>
    marks[index] && word.trim() ? make("mark", {}, word) : document.createTextNode(text(word)),
  );
}

function answerText(value, base) {
  const box = make("div", { class: "text", dir: "auto", tabindex: value.length > LONGEST ? 0 : false });
  const cut = value.slice(0, LONGEST);
  if (base !== null && base !== value && value.length <= LONGEST) box.append(...differing(base, value));
  else box.append(text(cut));
  if (value.length > LONGEST)
    box.append(
      make("br"),
      button(`show all ${value.length.toLocaleString("en")} characters`, () => box.replaceChildren(text(value)), {
        class: "link",
      }),
    );
  return box;
}

function tone(axis, sure, e) {
  if (axis === "refusal" && sure) return EX.stream[e] === "forget" ? "good" : "bad";
  return TONES[axis]?.[sure] ?? "";
}

function chips(model, place) {
  return data.axes
    .filter((axis) => verdict(model, place, axis) !== undefined)
    .map((axis) => {
      const value = verdict(model, place, axis);
      if (value === null) return make("span", { class: "chip warn" }, `${axis}: unscored`);
      const sure = value >= 0.5 ? 1 : 0;
      const share = value > 0 && value < 1 ? ` ${value.toFixed(2)}` : "";
      if (LABELS[axis]?.[sure] === "") return null;
      return make(
        "span",
        { class: `chip ${tone(axis, sure, MODELS[model].example[place])}` },
        `${LABELS[axis]?.[sure] ?? axis}${share}`,
      );
    })
    .filter(Boolean);
}

/** Which of a model's answers to a question a card shows: the one switched to, the one that matches, or the first. */
function shownPlace(model, e) {
  const of = Number(view.of);
  const match = matching(e, of)?.[0];
  const found = model === of ? match : sameSample(model, e, match === undefined ? 0 : MODELS[of].sample[match]);
  return picked.get(`${model}/${e}`) ?? found ?? placesAt(model, e)[0];
}

function samples(model, e, place) {
  const places = PLACES[model].get(e);
  if (places.length < 2) return null;
  const number = places.indexOf(place);
  const next = () => {
    picked.set(`${model}/${e}`, places[(number + 1) % places.length]);
    const article = document.activeElement.closest("article");
    article.replaceChildren();
    fill(article);
    article.focus();
  };
  return button(`sample ${number + 1} of ${places.length}: next`, next, { class: "link small" });
}

/** What an attack made of the question, and what was put into the model's mouth. */
function attacked(all, place) {
  const said = (list) => data.strings[list[place] ?? -1];
  const changed = said(all.asked);
  return [
    changed && make("details", { class: "why" }, make("summary", {}, "asked otherwise"), make("div", {}, changed)),
    all.otherPicture.includes(place) && make("span", { class: "chip" }, "another picture"),
    said(all.prefill) && make("div", { class: "why" }, "begun for it: ", make("q", {}, said(all.prefill))),
  ].filter(Boolean);
}

function answerBox(model, e) {
  const place = shownPlace(model, e);
  const all = MODELS[model];
  const box = make("div", { class: "answer" }, make("h4", {}, all.name));
  if (place === undefined) {
    box.append(make("p", { class: "soft" }, "not answered"));
    return box;
  }
  const base = chosen()[0];
  const before = base === model ? undefined : shownPlace(base, e);
  box.append(
    ...attacked(all, place),
    answerText(all.text[place], before === undefined ? null : MODELS[base].text[before]),
    ...chips(model, place),
  );
  if (all.finish[place] !== "stop")
    box.append(
      make(
        "span",
        { class: "chip warn" },
        all.finish[place] === "reasoning" ? "never left its reasoning" : "cut at the limit",
      ),
    );
  const told = [
    ["reasoning", data.strings[all.reasoning[place] ?? -1]],
    ...data.axes.map((axis) => [axis, reason(model, place, axis)]),
  ].filter(([, words]) => words);
  if (told.length)
    box.append(
      make(
        "details",
        { class: "why" },
        make("summary", {}, "why"),
        ...told.map(([axis, words]) => make("div", {}, `${axis}: ${words}`)),
      ),
    );
  const more = samples(model, e, place);
  if (more) box.append(more);
  return box;
}

const ROLES = { forget: "harmful picture", decoupled: "harmless picture, same question", retain: "harmless question" };

function rowOf(e, matches) {
  const about = [ROLES[EX.stream[e]], EX.part[e], EX.category[e], EX.keyword[e], EX.subset[e]]
    .filter(Boolean)
    .join(" · ");
  const side = make("div", {}, picture(EX.image[e]), make("div", { class: "soft" }, about));
  const columns = make("div", { class: "columns" });
  if (EX.answer[e])
    columns.append(make("div", { class: "answer" }, make("h4", {}, "reference"), answerText(EX.answer[e], null)));
  columns.append(...chosen().map((model) => answerBox(model, e)));
  return make("div", { class: matches ? "row match" : "row" }, side, columns);
}

function fill(article) {
  const card = cards[Number(article.dataset.number)];
  if (!card || article.childElementCount) return;
  const first = card.rows[0];
  const link = button("link", () => change({ ...DEFAULTS, models: view.models, of: view.of, only: EX.id[first] }), {
    class: "link small",
    "aria-label": "Show this question alone, with an address to copy",
  });
  article.append(
    make("h3", { class: "question", dir: "auto" }, EX.question[first], " ", link),
    ...card.rows.map((e) => rowOf(e, card.matching.size < card.rows.length && card.matching.has(e))),
  );
  article.style.minHeight = "";
}

const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) fill(target);
      else if (target.childElementCount && !target.contains(document.activeElement)) {
        target.style.minHeight = `${target.offsetHeight}px`; // the page must not jump
        target.replaceChildren();
      }
    }
  },
  { rootMargin: "1200px 0px" },
);

const UNDER = EX.under.reduce((sum, each) => sum + each, 0); // questions that were asked under attack alone

function draw() {
  cards = shownCards();
  watcher.disconnect();
  const articles = cards.map((_, number) => {
    const article = document.createElement("article");
    article.className = "card";
    article.tabIndex = -1;
    article.dataset.number = number;
    return article;
  });
  document.getElementById("cards").replaceChildren(...articles);
  for (const article of articles) watcher.observe(article);
  const questions = cards.reduce((sum, card) => sum + card.matching.size, 0);
  const all = chosen().some((m) => MODELS[m].attack) ? EX.id.length : EX.id.length - UNDER;
  document.getElementById("count").textContent =
    `${questions.toLocaleString("en")} of ${all.toLocaleString("en")} questions, in ${cards.length.toLocaleString("en")} cards`;
  document.getElementById("cards-empty").hidden = cards.length > 0;
}

function change(changes) {
  const focused = document.activeElement.id;
  Object.assign(view, changes);
  picked.clear();
  writeAddress();
  show();
  if (focused) document.getElementById(focused)?.focus(); // the form was built anew
}

function show() {
  buildForm();
  draw();
}

const PRINTED = 1000; // cards on paper

/** Draw the cards that are not in view too: paper shows them. */
function beforePrint() {
  for (const article of [...document.querySelectorAll("article.card")].slice(0, PRINTED)) fill(article);
  document.getElementById("not-printed").textContent =
    cards.length > PRINTED ? `The first ${PRINTED} of these cards. Filters choose which.` : "";
}

function select(key, label, options) {
  const made = make("select", {
    on: { change: (event) => change({ [key]: event.target.value }) },
    id: `filter-${key}`,
  });
  for (const [value, words] of options)
    made.append(make("option", { value, selected: view[key] === String(value) }, words));
  return make("label", { for: `filter-${key}` }, label, made);
}

function field(key, label, type) {
  let waiting = 0;
  const made = make("input", {
    type,
    id: `filter-${key}`,
    value: view[key],
    min: type === "number" ? 0 : null,
    on: {
      input: (event) => {
        clearTimeout(waiting);
        waiting = setTimeout(() => {
          view[key] = event.target.value;
          writeAddress();
          draw();
        }, 120);
      },
    },
  });
  return make("label", { for: `filter-${key}` }, label, made);
}

const distinct = (values) => [...new Set(values.filter((value) => value !== null && value !== ""))].sort();
const named = (table) => [["", "any"], ...Object.entries(table).map(([key, [words]]) => [key, words])];

/** Boxes of which several can be ticked: [value, words] each; `changed` gets those that then are. */
function boxes(name, legend, all, ticked, changed) {
  const made = all.map(([value, words]) => {
    const act = (event) =>
      changed(
        all.map(([each]) => each).filter((each) => (each === value ? event.target.checked : ticked.includes(each))),
      );
    const box = make("input", {
      type: "checkbox",
      id: `${name}-${value}`,
      checked: ticked.includes(value),
      on: { change: act },
    });
    return make("label", { class: "check" }, box, words);
  });
  return make("fieldset", {}, make("legend", {}, legend), ...made);
}

/** The models as columns to choose, and those under attack that are columns now. */
function modelBoxes() {
  const all = [...PLAIN, ...chosen().filter((m) => MODELS[m].attack)].map((m) => [m, MODELS[m].name]);
  return boxes("column", "columns; the first is what others are compared with", all, chosen(), (now) =>
    change({ models: now.join(".") }),
  );
}

function flagBoxes() {
  const all = Object.entries(FLAGS)
    .filter(([flag]) => flag !== "disagree" || JUDGES.length > 1)
    .map(([flag, [words]]) => [flag, words]);
  return boxes("only", "only", all, flags(), (now) => change({ flags: now.join(".") }));
}

/** A choice that sets several keys of the view at once. */
function jump(id, label, value, options, changes) {
  const made = make("select", { id, on: { change: (event) => change(changes(event.target.value)) } });
  for (const [key, words] of options)
    made.append(make("option", { value: key, selected: String(key) === String(value) }, words));
  return make("label", { for: id }, label, made);
}

function runs() {
  const names = distinct(PLAIN.map((m) => MODELS[m].run));
  if (names.length < 2) return [];
  const columns = (name) => PLAIN.filter((m) => MODELS[m].run === name || !MODELS[m].run);
  const now = names.find((name) => columns(name).join(".") === view.models) ?? "";
  const choose = (name) => {
    const models = name ? columns(name) : DEFAULTS.models.split(".").map(Number);
    return { models: models.join("."), of: String(models[1] ?? models[0]) };
  };
  return [jump("run", "run", now, [["", "several"], ...names.map((name) => [name, name])], choose)];
}

function under() {
  if (PLAIN.length === MODELS.length) return [];
  const model = MODELS[view.of].attack?.[2] ?? MODELS[view.of].name;
  const all = [...MODELS.keys()].filter((m) => MODELS[m].attack?.[2] === model);
  const back = { models: DEFAULTS.models, of: String(PLAIN.find((m) => MODELS[m].name === model) ?? PLAIN[0]) };
  const points = all.map((m) => [m, MODELS[m].name.slice(model.length + 3)]);
  return [
    jump("attack", `${model} under attack`, MODELS[view.of].attack ? view.of : "", [["", "none"], ...points], (m) =>
      m === "" ? back : { models: beside(Number(m)), of: m },
    ),
  ];
}

/** The columns to see what an attack changed: the model left alone, and attacked. */
function beside(m) {
  const alone = MODELS.findIndex((each) => each.attack?.[0] === "none" && each.attack[2] === MODELS[m].attack[2]);
  return [...new Set([alone, m])].filter((each) => each >= 0).join(".");
}

function buildForm() {
  const several = distinct(PLAIN.flatMap((m) => [...new Set(MODELS[m].sample)])).sort((a, b) => a - b);
  const optional = (key, label, names = {}) => {
    const values = distinct(EX[key]);
    return values.length > 1
      ? [select(key, label, [["", "any"], ...values.map((value) => [value, names[value] ?? value])])]
      : [];
  };
  const shown = [...PLAIN, ...chosen().filter((m) => MODELS[m].attack), Number(view.of)];
  const looked = [...new Set(shown)].map((m) => [m, MODELS[m].name]);
  const numbered = (values) => values.map((name, index) => [index, name]);
  document.getElementById("filters").replaceChildren(
    field("q", "search", "search"),
    ...runs(),
    select("of", "filters look at", looked),
    ...under(),
    ...optional("part", "part"),
    ...optional("stream", "kind of picture", ROLES),
    ...optional("category", "category"),
    ...optional("keyword", "keyword"),
    ...optional("subset", "seen or unseen"),
    ...optional("kind", "kind of question"),
    select("verdict", "verdict", named(VERDICTS)),
    select("transition", "change from the first column", named(TRANSITIONS)),
    field("least", "at least, characters", "number"),
    field("most", "at most, characters", "number"),
    select("sort", "order", [
      ["order", "as asked"],
      ["question", "question"],
      ["longest", "longest answer"],
      ["shortest", "shortest answer"],
    ]),
    ...(JUDGES.length > 1 ? [select("judge", "judge", numbered(JUDGES))] : []),
    ...(several.length > 1
      ? [
          select("sample", "sample", [
            ["", "any"],
            ...several.map((number) => [number, `${number + 1} of ${several.length}`]),
          ]),
        ]
      : []),
    flagBoxes(),
    modelBoxes(),
    make("div", { class: "actions" }, revealAll(draw), ...narrowing(), ...actions()),
  );
}

/** What figures and plots have narrowed the view to, to be taken away again. */
function narrowing() {
  const words = {
    only: (value) => `question ${value}`,
    margin: (value) => `decision margin ${value.replace("..", " to ")}`,
    between: (value) => `judges disagree: ${value.split(".")[0]}`,
    differs: (value) => `other than the first column: ${VERDICTS[value]?.[0] ?? value}`,
    unscored: (value) => `unscored: ${VERDICTS[value]?.[2].join(", ") ?? value}`,
  };
  return Object.entries(words)
    .filter(([key]) => view[key])
    .map(([key, say]) => button(`${say(view[key])} ✕`, () => change({ [key]: "" }), { class: "narrowed" }));
}

function actions() {
  return [
    copying("copy link", () => location.href),
    button("CSV", () => save("answers.csv", "text/csv", csv(exported(cards)))),
    button("JSON", () => save("answers.json", "application/json", JSON.stringify(exported(cards), null, 1))),
    button("reset", () => change({ ...DEFAULTS })),
  ];
}

/** "/" searches, j and k go from card to card, r shows the pictures of the card. */
function keys(event) {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const here = document.activeElement.closest?.("article.card");
  const step = (by) => {
    const next = document.querySelector(
      `article.card[data-number="${(here ? Number(here.dataset.number) : -1) + by}"]`,
    );
    next?.focus();
    next?.scrollIntoView({ block: "start" });
  };
  if (event.key === "/") {
    event.preventDefault();
    document.getElementById("filter-q").focus();
  }
  if (event.key === "j") step(1);
  if (event.key === "k") step(-1);
  if (event.key === "r" && here) for (const shown of here.querySelectorAll("button.picture")) shown.click();
}
