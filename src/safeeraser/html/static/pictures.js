// Pictures, blurred until they are revealed, one by one or all; and the switch between light and dark.

let revealed = new Set(remembered("reveal", "") === "all" ? data.pictures.keys() : []);

/** A picture of `data.pictures` by its number, -1 for none: a button that blurs and unblurs it. */
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
    const again = picture(number);
    shown.replaceWith(again);
    again.focus();
  });
  return shown;
}

/** A box to reveal or blur all pictures, which is remembered; `redraw` draws what shows them. */
function revealAll(redraw) {
  const box = make("input", {
    type: "checkbox",
    id: "reveal-all",
    checked: data.pictures.length > 0 && revealed.size === data.pictures.length,
    on: {
      change: (event) => {
        revealed = new Set(event.target.checked ? data.pictures.keys() : []);
        remember("reveal", event.target.checked ? "all" : "");
        redraw();
      },
    },
  });
  return make("label", { class: "check" }, box, "show all pictures");
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  remember("theme", theme);
}

/** The page in the reader's colours, and the button #theme that changes them; `changed` is told. */
function themed(changed = () => {}) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = remembered("theme", dark ? "dark" : "light");
  document.getElementById("theme").addEventListener("click", () => {
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    changed();
  });
}
