// Elements and text. Everything a model or a data set says goes through `text`: it is shown and never interpreted.

const data = JSON.parse(document.getElementById("data").textContent);
const LONGEST = 2000; // characters of an answer shown before "show all"
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/gu;

function text(value) {
  return String(value).replace(HIDDEN, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, text(value));
  }
  for (const child of children)
    if (child !== null && child !== undefined) element.append(child.nodeType ? child : text(child));
  return element;
}

function button(label, act, attributes = {}) {
  return make("button", { type: "button", on: { click: act }, ...attributes }, label);
}

/** A button that copies what `words` gives, and says whether it could. */
function copying(label, words) {
  const made = button(label, async () => {
    const done = await navigator.clipboard?.writeText(words()).then(
      () => "copied",
      () => null,
    );
    made.textContent = done ?? "copying is not allowed here";
    setTimeout(() => {
      made.textContent = label;
    }, 2000);
  });
  return made;
}

// Halves are rounded as Python rounds them, so that the page says what the tables of the run say.
const TENTHS = new Intl.NumberFormat("en", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
  roundingMode: "halfEven",
  useGrouping: false,
});

/** A share as per cent, to a tenth and without the sign. */
function hundredths(share) {
  return TENTHS.format(100 * share);
}

function percent(share) {
  return `${hundredths(share)}%`;
}

function remembered(key, fallback) {
  try {
    return localStorage.getItem(`safeeraser.${key}`) ?? fallback;
  } catch {
    return fallback; // a page opened from the disk may have no storage
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(`safeeraser.${key}`, value);
  } catch {
    // nothing to remember it in
  }
}

function save(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = make("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
