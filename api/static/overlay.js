/**
 * The page of a fight: watches one match or one mat and draws what the server says, as a scoreboard, as an introduction,
 * as a winner, or as each in its time; or what was before, the ceremony behind, and what happens, as banners or a table.
 *
 * The page keeps its last picture, with its clocks counting, for as long as it is without the server.
 */

import { announce, forgetBanners } from "/static/banners.js";
import { drawCeremony, hasMedals } from "/static/ceremony.js";
import { anchor, settle } from "/static/clock.js";
import { paint } from "/static/colours.js";
import { delayed } from "/static/delay.js";
import { MAT_STATUS, RECORDINGS, SCOREBOARD } from "/static/documents.js";
import { askForFlagsAgain, drawLogos, mark, write } from "/static/drawing.js";
import { drawEvents } from "/static/events.js";
import { drawIntroduction } from "/static/introduction.js";
import { subscribeToAddress } from "/static/live.js";
import { flag, oneOf, readOptions, wholeNumber } from "/static/options.js";
import { drawResults } from "/static/results.js";
import { drawClocks, drawScoreboard, tellOfChange } from "/static/scoreboard.js";
import { trouble } from "/static/troubles.js";
import { drawWinner, isDecided } from "/static/winner.js";
import { hasEnded, isResting, logoOf, sameMatch, tidy } from "/static/words.js";

const OPTIONS = {
  show: oneOf("scoreboard", "introduction", "winner", "auto", "results", "ceremony", "banners", "events"),
  look: oneOf("modern", "olympic", "arcade"),
  left: oneOf("blue", "red"),
  names: oneOf("full", "short", "code", "country"),
  delayMs: wholeNumber(0, 60_000, 0),
  debug: flag(),
};
const DRAWN = {
  scoreboard: drawScoreboard,
  introduction: drawIntroduction,
  winner: drawWinner,
  results: drawResults,
  ceremony: drawCeremony,
  banners: () => {},
  events: drawEvents,
};
const END_SHOWN_MS = 5_000;
// A clock that ran out is stopped by the scoring program within a second or so.
const OVERDUE_MS = 3_000;

const waiting = document.getElementById("waiting");
const scenes = Object.keys(DRAWN).map((name) => document.getElementById(name));
const debug = document.getElementById("debug");
const { options, errors } = readOptions(location.search, OPTIONS);
const late = delayed(options.delayMs, show);

let shown = null;
let clocks = { fight: null, rest: null, injury: null };
let connection = { status: "connecting", message: "" };
let sender = null;
let recorded = new Set();
let ticking = null;
let endedAt = -Infinity;
let heardAt = null;
let serverAheadMs = null;

// --- From the server to the page -------------------------------------------------------------------------------------

function arrived(data, { first }) {
  const { sentAt, scoreboard = null } = data.scoreboardChanged ?? {};
  heardAt = performance.now();
  serverAheadMs = Date.parse(sentAt) - Date.now();
  late.arrive(scoreboard, sentAt, first);
  drawDebug(heardAt);
}

function heardOfSender(data) {
  sender = data.matStatusChanged?.status?.state ?? null;
  tick();
}

function heardOfRecordings(data) {
  recorded = new Set((data.recordingChanged?.recordings ?? []).map(({ kind }) => kind));
  mark(document.body, "recording", recorded.has("RECORDING") ? "yes" : "");
}

function show(scoreboard, sentAt, first) {
  const before = shown;
  shown = scoreboard;
  const continued = sameMatch(before, shown);
  if (first) askForFlagsAgain();
  if (shown) {
    readClocks(sentAt, continued);
    // Whoever saw the end happen is left a moment with the scoreboard.
    if (!hasEnded(shown)) endedAt = -Infinity;
    else if (continued && !hasEnded(before)) endedAt = performance.now();
    draw();
    tellOfChange(continued && !first ? before : null, shown);
    tellOfBanners(continued && !first ? before : null, continued);
    document.body.dataset.revision = String(shown.revision);
  }
  drawScene();
  drawWaiting();
}

/** A banner is for what happens while one looks: neither for what was, nor for what another match left behind. */
function tellOfBanners(before, continued) {
  if (options.show !== "banners") return;
  if (!continued) forgetBanners();
  if (before) announce(before, shown);
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
  tick();
  drawWaiting();
}

// --- Drawing ---------------------------------------------------------------------------------------------------------

function draw() {
  for (const side of ["blue", "red"]) paint(side, shown[side] ?? {}, options.look);
  drawScene();
  // What is hidden has no size, so that nothing could be made to fit in it.
  DRAWN[document.body.dataset.scene]?.(shown, options);
  for (const scene of scenes) drawLogos(scene, logoOf(shown));
  tick();
}

/** Show the scene that is asked for, or whose time it is. */
function drawScene() {
  const name = shown && sceneOf(shown);
  document.body.dataset.scene = name || "none";
  for (const scene of scenes) scene.hidden = scene.id !== name;
}

function sceneOf(match) {
  if (options.show === "ceremony") return hasMedals(match) ? "ceremony" : null;
  if (options.show === "winner") return isDecided(match) ? "winner" : null;
  if (options.show !== "auto") return options.show;
  if (match.state === "LOADED") return "introduction";
  const isOver = isDecided(match) && performance.now() - endedAt >= END_SHOWN_MS;
  return isOver ? "winner" : "scoreboard";
}

/** Write what hangs on the time, and come back when it reads differently. */
function tick() {
  clearTimeout(ticking);
  const now = performance.now();
  const waits = options.debug ? [1_000] : [];
  if (shown) {
    const next = drawClocks(shown, clocks, now);
    if (next !== null) waits.push(next);
    const untilWinner = endedAt + END_SHOWN_MS - now;
    if (untilWinner > 0) waits.push(untilWinner);
    else if (document.body.dataset.scene !== (sceneOf(shown) ?? "none")) draw();
    const overdue = overdueIn(now);
    if (overdue > 0 && overdue < Infinity) waits.push(overdue);
    mark(document.body, "stale", overdue <= 0 || connection.status !== "live" || isSenderAway() ? "yes" : "");
  }
  drawDebug(now);
  if (waits.length) ticking = setTimeout(tick, Math.min(...waits) + 1);
}

/** In how many milliseconds it is clear that nobody keeps this clock: it ran out, and was not stopped. */
function overdueIn(now) {
  const clock = isResting(shown) ? clocks.rest : clocks.fight;
  if (!clock?.running || hasEnded(shown)) return Infinity;
  const ranOutAt = clock.at + clock.remainingMs;
  return ranOutAt + OVERDUE_MS - now;
}

/** Whether the scoring program keeps silent where it should not. */
function isSenderAway() {
  return sender === "SILENT" || (sender === "OFF" && shown.state === "LIVE");
}

function drawWaiting() {
  // Once there was a picture, the audience is spared our troubles: it stays, and a lamp tells.
  waiting.hidden = Boolean(shown);
  write(waiting, "waiting", trouble(connection, errors) || "Waiting for the next match");
}

function drawDebug(now) {
  if (!options.debug) return;
  const seconds = heardAt === null ? "–" : ((now - heardAt) / 1000).toFixed(0);
  const lines = [
    `connection ${connection.status} ${tidy(connection.message)}`,
    `last heard ${seconds} s ago, waiting ${late.waiting()}, delay ${options.delayMs} ms`,
    `server clock ahead ${serverAheadMs ?? "–"} ms`,
    `revision ${shown?.revision ?? "–"}, ${shown?.state ?? "no match"}, scene ${document.body.dataset.scene ?? "none"}`,
    `look ${options.look}, left ${options.left}, stale ${document.body.dataset.stale ?? "no"}, scoring program ${sender ?? "–"}`,
    ...(shown?.hasResultConflict ? ["the announced winner lost the rounds"] : []),
  ];
  debug.hidden = false;
  debug.textContent = lines.join("\n");
}

// --- The page --------------------------------------------------------------------------------------------------------

/** What this page shows that has to be looked up. */
function lookedUp() {
  return {
    countries: options.names === "country",
    medals: options.show === "ceremony",
    results: options.show === "results",
    told: options.show === "banners" || options.show === "events",
  };
}

/** Put red on the left where that is asked for. */
function takeSides() {
  const page = document.documentElement.style;
  page.setProperty("--left", options.left === "red" ? "var(--red)" : "var(--blue)");
  page.setProperty("--right", options.left === "red" ? "var(--blue)" : "var(--red)");
  for (const scene of scenes) {
    const left = scene.querySelector(".left");
    const right = scene.querySelector(".right");
    if (left && right) [left.dataset.colour, right.dataset.colour] = options.left === "red" ? ["red", "blue"] : ["blue", "red"];
  }
}

document.body.dataset.look = options.look;
document.body.dataset.names = options.names;
takeSides();
if (errors.length) {
  connectionChanged("error", "");
} else {
  window.addEventListener("resize", () => shown && draw());
  document.addEventListener("visibilitychange", tick);
  const watched = [
    { kinds: ["match", "mat"], query: SCOREBOARD, given: lookedUp(), onNext: arrived },
    { kinds: ["mat"], query: MAT_STATUS, onNext: heardOfSender },
    { kinds: ["mat"], query: RECORDINGS, onNext: heardOfRecordings },
  ];
  subscribeToAddress({ watched, onStatus: connectionChanged });
}
