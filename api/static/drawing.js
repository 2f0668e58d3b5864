/** Small steps of drawing that all scenes take. What others wrote becomes text and nothing else. */

import { tidy } from "/static/words.js";

const LONGEST_CODE = 6;
const SIZES = [1, 0.92, 0.84, 0.76, 0.68, 0.62];

export function field(root, name) {
  return root.querySelector(`[data-field="${name}"]`);
}

export function write(root, name, text) {
  const element = field(root, name);
  if (element.textContent !== text) element.textContent = text;
  return element;
}

export function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

/** Set a `data-` attribute, or take it away if there is nothing to say. */
export function mark(element, name, value) {
  if (value) element.dataset[name] = value;
  else delete element.dataset[name];
}

/** Begin an animation anew. */
export function restart(element, name) {
  element.classList.remove(name);
  // Reading a layout value in between makes the browser forget the one before.
  void element.offsetWidth;
  element.classList.add(name);
}

/** The part of a scene that is a side's, wherever it stands. */
export function partOf(scene, side) {
  return scene.querySelector(`[data-colour="${side}"]`);
}

/**
 * Write the first text that fits, the first of them smaller if need be; else as much of the last as there is room for.
 * How large it is stands in `--fit`, a share of what the style says.
 */
export function fit(element, texts) {
  const wanted = [...new Set(texts.map(tidy).filter(Boolean))];
  const key = JSON.stringify([wanted, element.clientWidth, element.clientHeight]);
  if (element.dataset.fitted === key) return;
  element.dataset.fitted = key;
  if (!wanted.length) element.textContent = "";
  for (const text of wanted) {
    element.textContent = text;
    for (const size of SIZES) {
      element.style.setProperty("--fit", String(size));
      if (hasRoom(element)) return;
    }
  }
}

function hasRoom(element) {
  return element.scrollWidth <= element.clientWidth + 1 && element.scrollHeight <= element.clientHeight + 1;
}

/** Write a country's code, with its flag over it if there is one. */
export function drawCountry(element, countryCode) {
  const code = tidy(countryCode).slice(0, LONGEST_CODE);
  write(element, "code", code).classList.toggle("long", code.length > 3);
  element.classList.toggle("unknown", !code);
  const flag = element.querySelector(".flag");
  if (flag.dataset.code === code) return;
  flag.dataset.code = code;
  showFlag(element, flag, false);
  flag.onload = () => showFlag(element, flag, true);
  flag.onerror = () => showFlag(element, flag, false);
  if (code) flag.src = `/flags/${encodeURIComponent(code)}`;
  else flag.removeAttribute("src");
}

/** Show a logo wherever there is a place for it, and leave it out where it does not come. */
export function drawLogos(scene, address) {
  for (const logo of scene.querySelectorAll(".logo")) {
    if ((logo.dataset.address ?? "") === (address ?? "")) continue;
    mark(logo, "address", address);
    logo.hidden = true;
    logo.onload = () => (logo.hidden = false);
    logo.onerror = () => (logo.hidden = true);
    if (address) logo.src = address;
    else logo.removeAttribute("src");
  }
}

/** Ask again for flags that did not come: the server may have them by now. */
export function askForFlagsAgain() {
  for (const flag of document.querySelectorAll(".flag[hidden]")) delete flag.dataset.code;
  for (const logo of document.querySelectorAll(".logo[hidden]")) delete logo.dataset.address;
}

function showFlag(element, flag, isThere) {
  flag.hidden = !isThere;
  element.classList.toggle("with-flag", isThere);
}
