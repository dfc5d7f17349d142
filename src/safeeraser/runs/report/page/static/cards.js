// Cards of answers, drawn as they come into view, and the form that filters them.

const TONES = {
  unsafe: { 1: "bad", 0: "" },
  refusal: { 1: "warn", 0: "" },
  meaningless: { 1: "warn", 0: "" },
  factual: { 1: "good", 0: "bad" },
};
const LABELS = {
  unsafe: ["not unsafe", "unsafe"],
  refusal: ["no refusal", "refusal"],
  meaningless: ["meaningful", "meaningless"],
  factual: ["wrong", "right"],
};
let revealed = new Set(remembered("reveal", "") === "all" ? data.pictures.keys() : []);
let cards = [];

function picture(number) {
  if (number < 0) return make("span", { class: "soft" }, "no picture");
  const source = data.pictures[number];
  if (source === null) return make("span", { class: "soft" }, "picture left out");
  const hidden = !revealed.has(number);
  const shown = make("button", {
    type: "button",
    class: hidden ? "picture hidden" : "picture",
    "aria-pressed": String(!hidden),
    "aria-label": hidden ? "Picture, blurred. Show it" : "Picture. Blur it",
  });
  shown.append(make("img", { alt: "" }), make("span", {}, hidden ? "blurred: show" : "blur"));
  shown.firstChild.src = source;
  shown.addEventListener("click", () => {
    if (revealed.has(number)) revealed.delete(number);
    else revealed.add(number);
    shown.replaceWith(picture(number));
  });
  return shown;
}

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

function chips(model, place) {
  return data.axes
    .filter((axis) => verdict(model, place, axis) !== undefined)
    .map((axis) => {
      const value = verdict(model, place, axis);
      if (value === null) return make("span", { class: "chip warn" }, `${axis}: unscored`);
      const sure = value >= 0.5 ? 1 : 0;
      const share = value > 0 && value < 1 ? ` ${value.toFixed(2)}` : "";
      return make("span", { class: `chip ${TONES[axis]?.[sure] ?? ""}` }, `${LABELS[axis]?.[sure] ?? axis}${share}`);
    });
}

function answerBox(model, e) {
  const place = answerAt(model, e);
  const box = make("div", { class: "answer" }, make("h4", {}, MODELS[model].name));
  if (place === undefined) {
    box.append(make("p", { class: "soft" }, "not answered"));
    return box;
  }
  const base = chosen()[0];
  const basePlace = base === model ? undefined : answerAt(base, e);
  const all = MODELS[model];
  box.append(
    answerText(all.text[place], basePlace === undefined ? null : MODELS[base].text[basePlace]),
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
  const why = data.axes.map((axis) => [axis, reason(model, place, axis)]).filter(([, words]) => words);
  if (why.length)
    box.append(
      make(
        "details",
        { class: "why" },
        make("summary", {}, "why"),
        ...why.map(([axis, words]) => make("div", {}, `${axis}: ${words}`)),
      ),
    );
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
  return make("div", { class: matches ? "row" : "row other" }, side, columns);
}

function fill(article) {
  const card = cards[Number(article.dataset.number)];
  if (!card || article.childElementCount) return;
  const first = card.rows[0];
  const link = button("link", () => change({ ...DEFAULTS, models: view.models, of: view.of, only: EX.id[first] }), {
    class: "link",
    "aria-label": "Show this question alone, with an address to copy",
  });
  article.append(
    make("p", { class: "question", dir: "auto" }, EX.question[first], " "),
    link,
    ...card.rows.map((e) => rowOf(e, card.matching.has(e))),
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
  document.getElementById("count").textContent =
    `${questions.toLocaleString("en")} of ${EX.id.length.toLocaleString("en")} questions, in ${cards.length.toLocaleString("en")} cards. ${data.note}`;
}

function change(changes) {
  Object.assign(view, changes);
  writeAddress();
  buildForm();
  draw();
}

function select(key, label, options) {
  const made = make("select", {
    on: {
      change: (event) => {
        Object.assign(view, { [key]: event.target.value });
        writeAddress();
        draw();
      },
    },
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
const any = (values) => [["", "any"], ...values.map((value) => [value, value])];

function modelBoxes() {
  const boxes = MODELS.map((model, index) =>
    make(
      "label",
      { class: "check" },
      make("input", {
        type: "checkbox",
        checked: chosen().includes(index),
        on: {
          change: (event) => {
            const now = new Set(chosen());
            if (event.target.checked) now.add(index);
            else now.delete(index);
            change({ models: [...now].sort((a, b) => a - b).join(".") });
          },
        },
      }),
      model.name,
    ),
  );
  return make("fieldset", {}, make("legend", {}, "columns; the first is what others are compared with"), ...boxes);
}

function buildForm() {
  const samples = distinct(MODELS.flatMap((model) => [...new Set(model.sample)]));
  const subset = distinct(EX.subset);
  const all = make(
    "label",
    { class: "check" },
    make("input", {
      type: "checkbox",
      id: "reveal-all",
      checked: data.pictures.length > 0 && revealed.size === data.pictures.length,
      on: {
        change: (event) => {
          revealed = new Set(event.target.checked ? data.pictures.keys() : []);
          remember("reveal", event.target.checked ? "all" : "");
          draw();
        },
      },
    }),
    "show all pictures",
  );
  document.getElementById("filters").replaceChildren(
    field("q", "search", "search"),
    select(
      "of",
      "filters look at",
      MODELS.map((model, index) => [index, model.name]),
    ),
    select("part", "part", any(distinct(EX.part))),
    select("category", "category", any(distinct(EX.category))),
    select("keyword", "keyword", any(distinct(EX.keyword))),
    ...(subset.length ? [select("subset", "keywords", any(subset))] : []),
    select("verdict", "verdict", named(VERDICTS)),
    select("transition", "change from the first column", named(TRANSITIONS)),
    select("flag", "only", named(FLAGS)),
    field("least", "at least, characters", "number"),
    field("most", "at most, characters", "number"),
    select("sort", "order", [
      ["order", "as asked"],
      ["question", "question"],
      ["longest", "longest answer"],
      ["shortest", "shortest answer"],
    ]),
    ...(JUDGES.length > 1
      ? [
          select(
            "judge",
            "judge",
            JUDGES.map((name, index) => [index, name]),
          ),
        ]
      : []),
    ...(samples.length > 1
      ? [
          select(
            "sample",
            "sample",
            samples.map((number) => [number, number]),
          ),
        ]
      : []),
    modelBoxes(),
    all,
    button("copy link", () => navigator.clipboard?.writeText(location.href)),
    button("CSV", () => save("answers.csv", "text/csv", csv(exported(cards)))),
    button("JSON", () => save("answers.json", "application/json", JSON.stringify(exported(cards), null, 1))),
    button("reset", () => change({ ...DEFAULTS })),
  );
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
