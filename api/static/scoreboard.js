/** The scoreboard: what is said while a fight is on. */

import { format, remaining, untilNextSecond } from "/static/clock.js";
import { drawCountry, field, fit, make, mark, partOf, restart, write } from "/static/drawing.js";
import { CLOSED_CHALLENGES, OPEN_CHALLENGES, countryOf, hasEnded, isResting, isUndecided, label, matchLine, matchNumber, resultCode, roundsOver, roundsWon, tidy, tournamentOf, winnerOf } from "/static/words.js";

const MOST_PIPS = 5;
const TOLD_MS = 6_000;
const NAMES = {
  full: (athlete) => [athlete.longName || athlete.name, athlete.name],
  short: (athlete) => [athlete.name || athlete.longName],
  code: (athlete) => [athlete.countryCode || athlete.name],
  country: (athlete, country) => [country || athlete.countryCode || athlete.name, athlete.countryCode],
};

const scene = document.getElementById("scoreboard");
const injury = document.getElementById("injury");
const challenge = document.getElementById("challenge");
let forgetting = null;

/** Draw a match. `names` says which: `full`, `short`, `code` or `country`. */
export function drawScoreboard(match, { names }) {
  write(scene, "tournament", tournamentOf(match));
  write(scene, "number", matchNumber(match));
  write(scene, "line", matchLine(match, { isShort: true }));
  for (const side of ["blue", "red"]) drawSide(side, match, names);

  const leader = hasEnded(match) ? "" : String(match.superiority ?? "").toLowerCase();
  mark(scene, "ahead", leader && (partOf(scene, leader).classList.contains("left") ? "left" : "right"));
  scene.classList.toggle("level", match.blue?.score === match.red?.score);

  injury.hidden = !match.injury || hasEnded(match);
  mark(injury, "colour", String(match.injury?.side ?? "").toLowerCase());
  drawMiddle(match);
}

/** Draw what only just happened, to who saw how it was before: a score that rose, a challenge that was decided. */
export function tellOfChange(before, match) {
  const isSameRound = before?.round === match.round;
  for (const side of ["blue", "red"]) {
    if (isSameRound && match[side]?.score > before[side]?.score) restart(partOf(scene, side).querySelector(".score"), "changed");
  }
  const wasDecided = Object.hasOwn(CLOSED_CHALLENGES, match.challenge?.state) && before && before.challenge?.state !== match.challenge.state;
  drawChallenge(match, wasDecided);
}

/** Write the clocks as they are; returns how many milliseconds later they read differently, null for never. */
export function drawClocks(match, clocks, now) {
  const middle = isResting(match) ? clocks.rest : clocks.fight;
  const score = isUndecided(match) ? "–" : `${roundsWon(match, sideAt("left"))}–${roundsWon(match, sideAt("right"))}`;
  const text = hasEnded(match) ? score : format(remaining(middle, now));
  write(scene, "clock", text).classList.toggle("long", text.length > 4);
  write(injury, "injuryClock", format(remaining(clocks.injury, now)));
  const waits = [middle, clocks.injury].map((clock) => untilNextSecond(clock, now)).filter((wait) => wait !== null);
  return waits.length ? Math.min(...waits) : null;
}

function sideAt(place) {
  return scene.querySelector(`.side.${place}`).dataset.colour;
}

function drawSide(side, match, names) {
  const element = partOf(scene, side);
  const athlete = match[side] ?? {};
  const winner = winnerOf(match);
  element.classList.toggle("won", winner === side);
  element.classList.toggle("lost", Boolean(winner) && winner !== side);
  element.classList.toggle("ahead", !hasEnded(match) && String(match.superiority).toLowerCase() === side);
  drawCountry(element.querySelector(".country"), athlete.countryCode);

  const score = String(athlete.score ?? 0);
  write(element, "score", score).parentElement.classList.toggle("wide", score.length > 2);
  const gamJeoms = athlete.gamJeoms ?? 0;
  write(element, "gamJeoms", String(gamJeoms)).parentElement.classList.toggle("given", gamJeoms > 0);

  drawPips(field(element, "pips"), roundsWon(match, side), Math.ceil((match.roundCount ?? 3) / 2));
  drawRounds(field(element, "roundScores"), match, side);
  fit(field(element, "name"), NAMES[names](athlete, countryOf(match, side)));
}

function drawPips(element, won, needed) {
  const count = Math.min(MOST_PIPS, Math.max(needed, won, 1));
  element.classList.toggle("many", count > 3);
  element.replaceChildren(...Array.from({ length: count }, (_, index) => make("i", "", index < won ? "won" : "")));
}

/** Rounds that are over; the present one is the big figure. */
function drawRounds(element, match, side) {
  const cells = roundsOver(match)
    .slice(-MOST_PIPS)
    .map((round) => {
      const cell = make("span", "", String(round.winner).toLowerCase() === side ? "won" : "");
      cell.append(make("i", `R${round.number}`), make("b", String(round[`${side}Score`])));
      return cell;
    });
  element.replaceChildren(...cells);
}

function drawMiddle(match) {
  const note = hasEnded(match) ? resultCode(match) : "";
  scene.classList.toggle("rest", isResting(match));
  scene.classList.toggle("paused", match.state === "LIVE" && !isResting(match) && match.clock?.state !== "RUNNING");
  scene.classList.toggle("noted", Boolean(note));
  write(scene, "label", label(match));
  write(scene, "note", note);
}

/** A challenge that is open while the clock stands; one that was just decided, for a moment. */
function drawChallenge(match, wasDecided) {
  const { side, state } = match.challenge ?? {};
  const isOpen = Object.hasOwn(OPEN_CHALLENGES, state) && match.clock?.state !== "RUNNING" && !hasEnded(match);
  if (!isOpen && !wasDecided && state && challenge.dataset.told === state) return;
  clearTimeout(forgetting);
  challenge.hidden = !isOpen && !wasDecided;
  mark(challenge, "told", wasDecided && state);
  mark(challenge, "colour", String(side ?? "").toLowerCase());
  write(challenge, "challenge", tidy(OPEN_CHALLENGES[state] ?? CLOSED_CHALLENGES[state]));
  if (wasDecided) forgetting = setTimeout(() => (challenge.hidden = true), TOLD_MS);
}
