/**
 * The scoreboard page: watches one match or one mat and draws what the server says.
 *
 * Everything drawn is untrusted text and goes through `textContent`. The page keeps its last picture, with its clocks
 * counting, for as long as it is without the server.
 */

import { anchor, format, remaining, settle, untilNextSecond } from "/static/clock.js";
import { SCOREBOARD } from "/static/documents.js";
import { subscribeToAddress, tokenOfAddress } from "/static/live.js";

const DEFAULT_COLOUR = { blue: "#1246b8", red: "#c8102e" };
const PANEL = "#0b1120";
const LONGEST_TEXT = 120;
const MOST_PIPS = 5;
const SMALLEST_FULL_NAME = 0.8;
const SMALLEST_NAME = 0.62;

const DIVISIONS = [
  [/^seniors?$/i, "SEN"],
  [/^juniors?$/i, "JUN"],
  [/^cadets?$/i, "CAD"],
  [/^under[\s-]*(\d+)$/i, "U$1"],
];
const PHASES = [
  [/^finals?$/i, "F"],
  [/^semi[\s-]*finals?$/i, "SF"],
  [/^quarter[\s-]*finals?$/i, "QF"],
  [/^round of (\d+)$/i, "R$1"],
  [/^bronze medal (contest|match|fight)s?$/i, "BMD"],
];
const UNDECIDED = { NOT_FOUGHT: "Not fought", ABANDONED: "Abandoned" };

const board = document.getElementById("board");
const waiting = document.getElementById("waiting");
const injury = document.getElementById("injury");
const sides = { blue: document.getElementById("blue"), red: document.getElementById("red") };

let shown = null;
let clocks = { fight: null, rest: null, injury: null };
let ticking = null;
let connection = { status: "connecting", message: "" };

// --- From the server to the page -------------------------------------------------------------------------------------

function arrived(data, { first }) {
  const { sentAt, scoreboard } = data.scoreboardChanged ?? {};
  const before = shown;
  shown = scoreboard ?? null;
  drawWaiting();
  if (!shown) return;
  readClocks(sentAt, sameMatch(before, shown));
  draw(shown);
  if (!first && before && sameMatch(before, shown) && before.round === shown.round) celebrate(before, shown);
}

function sameMatch(one, other) {
  const key = (match) => match && JSON.stringify([match.number, match.blue?.name, match.red?.name]);
  return key(one) === key(other);
}

function readClocks(sentAt, continued) {
  const now = performance.now();
  const read = (clock, previous) => {
    const next = anchor(clock, sentAt, now);
    return continued ? settle(previous, next, now) : next;
  };
  clocks = {
    fight: read(shown.clock, clocks.fight),
    rest: read(shown.breakClock, clocks.rest),
    injury: read(shown.injury?.clock, clocks.injury),
  };
}

function connectionChanged(status, message) {
  connection = { status, message };
  document.body.dataset.connection = status;
  drawWaiting();
}

function drawWaiting() {
  board.hidden = !shown;
  waiting.hidden = Boolean(shown);
  write(waiting, "waiting", waitingText());
}

function waitingText() {
  if (connection.status === "live") return "Waiting for the next match";
  if (connection.status === "error") return tidy(connection.message) || "The server refused this overlay";
  if (connection.status !== "refused") return "Connecting…";
  if (!tokenOfAddress()) return "This overlay’s address has no token";
  // A close code comes with a word, a refused operation with a sentence.
  return connection.message.includes(" ") ? tidy(connection.message) : "This overlay’s token was refused";
}

// --- Drawing ---------------------------------------------------------------------------------------------------------

function draw(match) {
  write(board, "number", match.number ? `Match ${matchNumber(match.number)}` : "");
  write(board, "line", matchLine(match));
  for (const side of ["blue", "red"]) drawSide(side, match);

  const ahead = ended(match) ? undefined : lower(match.superiority);
  mark(board, "ahead", ahead);
  board.classList.toggle("level", match.blue?.score === match.red?.score);

  injury.hidden = !match.injury;
  mark(injury, "side", lower(match.injury?.side));
  drawMiddle(match);
  tick();
}

function drawSide(side, match) {
  const element = sides[side];
  const athlete = match[side] ?? {};
  paint(side, athlete);

  const outcome = ended(match) ? lower(match.outcome) : undefined;
  element.classList.toggle("won", outcome === side);
  element.classList.toggle("lost", Boolean(outcome) && outcome !== side && outcome !== "tie");
  element.classList.toggle("ahead", !ended(match) && lower(match.superiority) === side);

  const code = tidy(athlete.countryCode).slice(0, 6);
  write(element, "code", code).classList.toggle("long", code.length > 3);
  element.querySelector(".country").classList.toggle("unknown", !code);

  const score = String(athlete.score ?? 0);
  write(element, "score", score).parentElement.classList.toggle("wide", score.length > 2);
  const gamJeoms = athlete.gamJeoms ?? 0;
  write(element, "gamJeoms", String(gamJeoms)).parentElement.classList.toggle("given", gamJeoms > 0);

  drawPips(field(element, "pips"), athlete.roundsWon ?? 0, Math.ceil((match.roundCount ?? 3) / 2));
  drawRounds(field(element, "roundScores"), match, athlete.roundScores ?? []);
  fitName(field(element, "name"), tidy(athlete.longName), tidy(athlete.name));
}

function drawPips(element, won, needed) {
  const count = Math.min(MOST_PIPS, Math.max(needed, won, 1));
  element.classList.toggle("many", count > 3);
  element.replaceChildren(...Array.from({ length: count }, (_, index) => make("i", "", index < won ? "won" : "")));
}

/** Rounds that are over; the present one is the big figure. */
function drawRounds(element, match, scores) {
  const whole = (ended(match) && match.state !== "NOT_FOUGHT") || resting(match);
  const over = whole ? match.round : match.round - 1;
  const cells = scores.slice(0, Math.max(0, over)).slice(-MOST_PIPS);
  const from = Math.max(0, Math.min(scores.length, over) - cells.length);
  element.replaceChildren(
    ...cells.map((score, index) => {
      const cell = make("span");
      cell.append(make("i", `R${from + index + 1}`), make("b", score === null ? "–" : String(score)));
      return cell;
    }),
  );
}

function drawMiddle(match) {
  const rest = resting(match);
  const over = ended(match);
  board.classList.toggle("rest", rest);
  board.classList.toggle("paused", match.state === "LIVE" && !rest && match.clock?.state !== "RUNNING");
  board.classList.toggle("noted", over && Boolean(note(match)));
  write(board, "label", label(match));
  write(board, "note", over ? note(match) : "");
}

function label(match) {
  if (UNDECIDED[match.state]) return UNDECIDED[match.state];
  if (ended(match)) return { TIE: "Tie", BLUE: "Result", RED: "Result" }[match.outcome] ?? "Ended";
  return resting(match) ? "Rest" : `Round ${match.round ?? 1}`;
}

/** How it was won, without the round score that some results begin with: it is shown above. */
function note(match) {
  return tidy(match.resultCode).replace(/^\d+\s*-\s*\d+\s+/, "");
}

/** Write the clocks, and come back when a second is over. */
function tick() {
  clearTimeout(ticking);
  if (!shown) return;
  const now = performance.now();
  const middle = resting(shown) ? clocks.rest : clocks.fight;
  const text = ended(shown) ? roundsWon(shown) : format(remaining(middle, now));
  write(board, "clock", text).classList.toggle("long", text.length > 4);
  write(injury, "injuryClock", format(remaining(clocks.injury, now)));
  const waits = [middle, clocks.injury].map((clock) => untilNextSecond(clock, now)).filter((wait) => wait !== null);
  if (waits.length) ticking = setTimeout(tick, Math.min(...waits));
}

function roundsWon(match) {
  if (UNDECIDED[match.state]) return "–";
  return `${match.blue?.roundsWon ?? 0}–${match.red?.roundsWon ?? 0}`;
}

function celebrate(before, after) {
  for (const side of ["blue", "red"]) {
    if (!(after[side]?.score > before[side]?.score)) continue;
    const score = sides[side].querySelector(".score");
    score.classList.remove("changed");
    // Reading a layout value in between makes the browser start the animation anew.
    void score.offsetWidth;
    score.classList.add("changed");
  }
}

// --- What a match says -----------------------------------------------------------------------------------------------

function ended(match) {
  return match.state === "ENDED" || match.state in UNDECIDED;
}

function resting(match) {
  const rest = match.breakClock;
  if (!rest || ended(match) || match.clock?.state === "RUNNING") return false;
  return rest.state === "RUNNING" || rest.remainingMs > 0;
}

function matchLine(match) {
  return [tidy(match.weight), shorten(match.division, DIVISIONS), shorten(match.phase, PHASES)].filter(Boolean).join("  ·  ");
}

function matchNumber(number) {
  return tidy(number).replace(/^0+(?=\d)/, "");
}

function shorten(text, rules) {
  const full = tidy(text);
  const rule = rules.find(([pattern]) => pattern.test(full));
  return rule ? full.replace(...rule) : full;
}

// --- Names -----------------------------------------------------------------------------------------------------------

/** The full name if it fits, a little smaller if need be; else the short one; else as much of that as there is room for. */
function fitName(element, full, short) {
  const tries = [
    [full || short, 1],
    [full || short, SMALLEST_FULL_NAME],
    [short || full, 1],
    [short || full, SMALLEST_NAME],
  ];
  for (const [text, size] of tries) {
    if (element.textContent !== text) element.textContent = text;
    element.style.fontSize = "";
    if (overflow(element) <= 1) return;
    const needed = 0.99 / overflow(element);
    element.style.fontSize = `calc(var(--u) * ${(38 * Math.max(size, needed)).toFixed(2)})`;
    if (needed >= size) return;
  }
}

function overflow(element) {
  return element.scrollWidth / Math.max(1, element.clientWidth);
}

/** One line of plain text: no control characters, none that turn the writing direction of what follows. */
function tidy(text) {
  const plain = String(text ?? "").replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, " ");
  return Array.from(plain.replace(/\s+/g, " ").trim()).slice(0, LONGEST_TEXT).join("");
}

// --- Colours ---------------------------------------------------------------------------------------------------------

function paint(side, athlete) {
  const background = hex(athlete.background) ?? DEFAULT_COLOUR[side];
  const foreground = readable(hex(athlete.foreground), background);
  const style = document.documentElement.style;
  style.setProperty(`--${side}`, background);
  style.setProperty(`--${side}-ink`, foreground);
  style.setProperty(`--${side}-shade`, mix(background, PANEL, 0.42));
}

function hex(text) {
  return /^#[0-9a-f]{6}$/i.test(text ?? "") ? text : null;
}

/** The wanted colour if large figures can be read in it, else whichever of white and black is clearer. */
function readable(wanted, background) {
  if (wanted && contrast(wanted, background) >= 3) return wanted;
  return contrast("#ffffff", background) >= 3 ? "#ffffff" : "#101010";
}

function contrast(one, other) {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(colour) {
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = channels(colour).map((value) => linear(value / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function mix(one, other, share) {
  const others = channels(other);
  return `rgb(${channels(one).map((value, index) => Math.round(value * share + others[index] * (1 - share))).join(", ")})`;
}

function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

// --- The page --------------------------------------------------------------------------------------------------------

function field(root, name) {
  return root.querySelector(`[data-field="${name}"]`);
}

function write(root, name, text) {
  const element = field(root, name);
  if (element.textContent !== text) element.textContent = text;
  return element;
}

function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

function mark(element, name, value) {
  if (value === undefined) delete element.dataset[name];
  else element.dataset[name] = value;
}

function lower(value) {
  return value ? String(value).toLowerCase() : undefined;
}

window.addEventListener("resize", () => shown && draw(shown));
document.addEventListener("visibilitychange", tick);
subscribeToAddress({ kinds: ["match", "mat"], query: SCOREBOARD, onNext: arrived, onStatus: connectionChanged });
