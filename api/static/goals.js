/**
 * The goal page: watches one goal, or all goals of a stream, and draws what the server says.
 *
 * What is drawn are the goals as they are; what is animated are the movements the server tells of. A page that is loaded
 * again, or that was cut off for a while, gets the goals alone and so celebrates nothing a second time. All that a
 * streamer or a viewer wrote goes through `textContent`.
 *
 * The address may say `?show=rotate` (one goal of a stream at a time), `?seconds=8` (each for so long) and
 * `?look=minimal` (another look for all of them).
 */

import { GOALS } from "/static/documents.js";
import { subscribeToAddress } from "/static/live.js";
import { oneOf, readOptions, wholeNumber } from "/static/options.js";
import { trouble } from "/static/troubles.js";
import { tidy } from "/static/words.js";

const LOOKS = ["bar", "circular", "minimal", "vertical"];
const OPTIONS = { show: oneOf("all", "rotate"), seconds: wholeNumber(1, 3_600, 8), look: oneOf("style", ...LOOKS) };
const UPRIGHT = new Set(["circular", "vertical"]);
const EASINGS = { SMOOTH: "ease-out", GLOW: "ease-out", BOUNCE: "cubic-bezier(.3, 1.7, .5, 1)" };
const PIECES = 70;
const MILESTONE_MS = 2600;
const FULL_MS = 900;

const list = document.getElementById("goals");
const waiting = document.getElementById("waiting");
const message = document.getElementById("message");
const { options, errors } = readOptions(location.search, OPTIONS);

let drawn = new Map();
let connection = { status: "connecting", message: "" };
let hasGoals = false;
let turn = { id: null, timer: null };

// --- From the server to the page -------------------------------------------------------------------------------------

function arrived(data, { first }) {
  const { goals = [], movements: told = [] } = data.streamGoalChanged ?? {};
  // The first answer of a connection is how it is, whatever else it may say.
  const movements = first ? [] : told;
  hasGoals = true;
  const moved = new Map(movements.map((movement) => [movement.goal.id, movement]));
  const before = drawn;
  drawn = new Map(goals.map((goal) => [goal.id, keep(before.get(goal.id), goal)]));
  for (const [id, view] of before) if (drawn.get(id) !== view) remove(view);
  list.replaceChildren(...[...drawn.values()].map((view) => view.element));
  const isUpright = goals.length > 0 && goals.every((goal) => UPRIGHT.has(lookOf(goal)));
  const shown = options.show === "rotate" ? 1 : Math.max(1, goals.length);
  const page = document.documentElement.style;
  list.classList.toggle("upright", isUpright);
  page.setProperty("--rows", String(isUpright ? 1 : shown));
  page.setProperty("--columns", String(isUpright ? shown : 1));
  for (const goal of goals) show(drawn.get(goal.id), goal, moved.get(goal.id));
  if (movements.length) turnTo(movements[movements.length - 1].goal.id);
  else turnTo(turn.id);
  drawWaiting();
}

function connectionChanged(status, text) {
  connection = { status, message: text };
  document.body.dataset.connection = status;
  drawWaiting();
}

function drawWaiting() {
  // Once goals were shown, the audience is spared our troubles: the last picture stays.
  waiting.hidden = hasGoals && connection.status !== "refused" && connection.status !== "error";
  message.textContent = trouble(connection, errors) || "Connecting…";
}

// --- One goal --------------------------------------------------------------------------------------------------------

function lookOf(goal) {
  const look = options.look === "style" ? goal.style.look.toLowerCase() : options.look;
  return LOOKS.includes(look) ? look : "bar";
}

/** The goal's element as it was, or a new one if it is new or is to look different. */
function keep(view, goal) {
  const look = lookOf(goal);
  if (view?.look === look) return view;
  const element = document.getElementById("goal").content.firstElementChild.cloneNode(true);
  element.classList.add(look);
  const gradient = element.querySelector("linearGradient");
  gradient.id = `fill-${goal.id}`;
  element.querySelector(".arc").setAttribute("stroke", `url(#${gradient.id})`);
  return { element, look, goal: null, counting: null, timers: new Set(), isAway: null };
}

function remove(view) {
  cancelAnimationFrame(view.counting);
  for (const timer of view.timers) clearTimeout(timer);
}

function show(view, goal, movement) {
  const before = view.goal;
  view.goal = goal;
  const style = view.element.style;
  style.setProperty("--begin", goal.style.fillColor);
  style.setProperty("--end", goal.style.fillEndColor);
  style.setProperty("--track", goal.style.trackColor);
  style.setProperty("--text", goal.style.textColor);
  if (!movement || !before || goal.style.animation === "NONE") settle(view, goal, movement);
  else animate(view, before, goal, movement);
  if (movement) tell(view, goal, movement);
  place(view, goal, movement);
}

/** Draw a goal as it is, at once. */
function settle(view, goal, movement) {
  if (movement || !view.counting) {
    fill(view, goal.progress, 0, "");
    write(view, goal, goal.current, goal.percent);
  }
}

/** Let a goal move from what was shown to what is. */
function animate(view, before, goal, movement) {
  const took = goal.style.animationMs;
  const easing = EASINGS[goal.style.animation] ?? "ease-out";
  const isFurther = movement.hasReached && !movement.isTest && goal.target !== before.target;
  // The target moved on: be full for a moment, then show how far the next one is.
  fill(view, isFurther ? 1 : goal.progress, took, easing);
  if (isFurther) later(view, took + FULL_MS, () => fill(view, view.goal.progress, took, easing));
  if (goal.style.animation === "GLOW") restart(view.element, "glowing");
  count(view, before, goal, took);
}

function fill(view, part, took, easing) {
  const style = view.element.style;
  style.setProperty("--took", `${took}ms`);
  style.setProperty("--easing", easing || "ease");
  style.setProperty("--part", String(Math.max(0, Math.min(1, part))));
  view.element.querySelector(".arc").classList.toggle("empty", part <= 0);
}

/** Count the numbers up, and end with exactly what the server said. */
function count(view, before, goal, took) {
  cancelAnimationFrame(view.counting);
  const began = performance.now();
  const step = (now) => {
    const done = took > 0 ? Math.min(1, (now - began) / took) : 1;
    const between = (from, to) => Math.round(from + (to - from) * done);
    // Percents of another target cannot be counted over; and none is shown that is not reached.
    const percent = done < 1 && goal.target === before.target ? Math.floor(before.percent + (goal.percent - before.percent) * done) : goal.percent;
    write(view, goal, done < 1 ? between(before.current, goal.current) : goal.current, percent);
    view.counting = done < 1 ? requestAnimationFrame(step) : null;
  };
  // Counted by frames, which a hidden page has none of: it is written at once.
  if (document.hidden) write(view, goal, goal.current, goal.percent);
  else view.counting = requestAnimationFrame(step);
}

function write(view, goal, current, percent) {
  const number = NUMBERS[goal.style.numberFormat] ?? NUMBERS.GROUPED;
  const values = {
    name: tidy(goal.name),
    unit: tidy(goal.unit),
    current: number(current),
    target: number(goal.target),
    percent: number(percent),
    remaining: number(current === goal.current ? goal.remaining : Math.max(0, goal.target - current)),
  };
  const text = goal.style.template.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? values[name] : whole));
  put(view.element.querySelector(".text"), text);
  put(view.element.querySelector(".percent"), `${values.percent}%`);
}

const NUMBERS = {
  PLAIN: (value) => String(value),
  GROUPED: (value) => value.toLocaleString("en-US"),
  SHORT: (value) => {
    // Rounded down: what is not reached is not shown as reached.
    for (const [size, letter] of [[1e9, "B"], [1e6, "M"], [1e3, "K"]]) {
      if (value >= size) return `${String(Math.floor(value / (size / 10)) / 10)}${letter}`;
    }
    return String(value);
  },
};

/** Celebrate what was reached, and say which milestones were passed, one after the other. */
function tell(view, goal, movement) {
  const { element } = view;
  element.querySelector(".test").hidden = !movement.isTest;
  if (movement.isTest) later(view, 3000, () => (element.querySelector(".test").hidden = true));
  const labels = movement.milestones.map((one) => tidy(one.label) || (NUMBERS[goal.style.numberFormat] ?? String)(one.threshold));
  labels.forEach((label, index) => later(view, index * MILESTONE_MS, () => milestone(view, label)));
  if (movement.hasReached) celebrate(view, goal);
}

function milestone(view, label) {
  const element = view.element.querySelector(".milestone");
  element.hidden = true;
  void element.offsetWidth;
  put(element, label);
  element.hidden = false;
  clearTimeout(view.labelled);
  view.labelled = later(view, MILESTONE_MS - 200, () => (element.hidden = true));
}

function celebrate(view, goal) {
  const { celebration, celebrationMs } = goal.style;
  document.body.dataset.celebrations = String(Number(document.body.dataset.celebrations ?? 0) + 1);
  if (celebration === "NONE" || celebrationMs === 0) return;
  if (celebration === "CONFETTI") return confetti(goal, celebrationMs);
  const { classList } = view.element;
  classList.remove("flash", "pulse");
  classList.add("celebrating", celebration.toLowerCase());
  later(view, celebrationMs, () => classList.remove("celebrating", "flash", "pulse"));
}

function confetti(goal, took) {
  const cloud = document.createElement("div");
  cloud.className = "confetti";
  const colours = [goal.style.fillColor, goal.style.fillEndColor, "#ffffff", "#ffd166"];
  for (let index = 0; index < PIECES; index += 1) {
    const piece = document.createElement("i");
    piece.style.left = `${Math.random() * 100}%`;
    piece.style.background = colours[index % colours.length];
    piece.style.setProperty("--drift", `${(Math.random() - 0.5) * 30}vw`);
    piece.style.setProperty("--turns", `${(Math.random() - 0.5) * 1800}deg`);
    piece.style.animationDelay = `${Math.random() * took * 0.35}ms`;
    piece.style.animationDuration = `${took * (0.4 + Math.random() * 0.25)}ms`;
    cloud.append(piece);
  }
  document.body.append(cloud);
  setTimeout(() => cloud.remove(), took);
}

// --- Which goals are on ----------------------------------------------------------------------------------------------

/** Say whether a goal is on. One that hides when it is reached first celebrates; one that shows for a while then goes. */
function place(view, goal, movement) {
  const { shownSeconds, celebrationMs } = goal.style;
  clearTimeout(view.leaving);
  if (goal.state !== "ACTIVE" && !(movement?.hasReached || movement?.isTest)) return putAway(view, true);
  if (shownSeconds > 0 && !movement) return putAway(view, view.isAway !== false);
  putAway(view, false);
  const stays = goal.state !== "ACTIVE" ? celebrationMs : shownSeconds * 1000;
  if (stays > 0) view.leaving = later(view, stays, () => putAway(view, true));
}

function putAway(view, isAway) {
  if (view.isAway === null && isAway) view.element.classList.add("gone");
  view.isAway = isAway;
  view.element.classList.toggle("away", isAway);
  if (!isAway) view.element.classList.remove("gone");
  else later(view, 600, () => view.element.classList.toggle("gone", view.isAway));
  drawTurn();
}

function turnTo(id) {
  if (options.show !== "rotate") return;
  turn.id = id;
  drawTurn();
  clearInterval(turn.timer);
  turn.timer = setInterval(next, options.seconds * 1000);
}

function next() {
  const on = [...drawn.values()].filter((view) => !view.isAway).map((view) => view.goal.id);
  turn.id = on[(on.indexOf(turn.id) + 1) % Math.max(1, on.length)] ?? null;
  drawTurn();
}

function drawTurn() {
  if (options.show !== "rotate") return;
  const on = [...drawn.values()].filter((view) => !view.isAway);
  const shown = on.find((view) => view.goal?.id === turn.id) ?? on[0];
  turn.id = shown?.goal?.id ?? turn.id;
  for (const view of drawn.values()) view.element.hidden = view !== shown;
}

// --- The page --------------------------------------------------------------------------------------------------------

function later(view, wait, work) {
  const timer = setTimeout(() => {
    view.timers.delete(timer);
    work();
  }, wait);
  view.timers.add(timer);
  return timer;
}

function restart(element, name) {
  element.classList.remove(name);
  // Reading a layout value in between makes the browser start the animation anew.
  void element.offsetWidth;
  element.classList.add(name);
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

if (errors.length) connectionChanged("error", "");
else subscribeToAddress({ watched: [{ kinds: ["goal", "stream"], query: GOALS, onNext: arrived }], onStatus: connectionChanged });
