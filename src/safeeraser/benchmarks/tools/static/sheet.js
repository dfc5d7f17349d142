// A benchmark's records by category: pictures, and behind a fold what is asked about them.

function shownPicture([number, role, keyword]) {
  const broken = data.pictures[number] === null;
  const box = broken ? make("span", { class: "soft" }, "picture does not decode") : picture(number);
  return make("figure", {}, box, make("figcaption", {}, keyword ? `${role}: ${keyword}` : role));
}

function card({ id, pictures, pairs }) {
  const list = pairs.flatMap(([stream, question, answer]) => [
    make("dt", {}, make("span", { class: `chip ${stream}` }, stream), " ", question),
    make("dd", {}, answer),
  ]);
  return make(
    "article",
    { class: "card" },
    make("div", { class: "soft" }, id),
    ...pictures.map(shownPicture),
    make("details", {}, make("summary", {}, `${pairs.length} pairs`), make("dl", {}, ...list)),
  );
}

function draw() {
  const sections = data.groups.map(({ category, total, cards }, number) =>
    make(
      "section",
      { id: `c${number}` },
      make("h2", {}, category, " ", make("small", {}, `${cards.length} of ${total}`)),
      make("div", { class: "cards" }, ...cards.map(card)),
    ),
  );
  document.getElementById("groups").replaceChildren(...sections);
}

themed();
document.getElementById("tools").append(revealAll(draw));
document
  .getElementById("categories")
  .append(...data.groups.map(({ category }, number) => make("a", { href: `#c${number}` }, category)));
draw();
