/** Banners: a few words on what just happened, for a moment, one after the other. */

import { mark, restart, write } from "/static/drawing.js";
import { CLOSED_CHALLENGES, KINDS_OF_POINTS, OPEN_CHALLENGES, hasEnded, isResting, tidy } from "/static/words.js";

const SHOWN_MS = 4_000;
const MOST_WAITING = 6;
// A punch and a plain kick to the body are what a fight is made of.
const SPECIAL = { HEAD: 3, TURNING_BODY: 4, TURNING_HEAD: 5 };

const banner = document.getElementById("banner");
const waiting = [];
let leaving = null;

/** Show what happened between two states of one match. */
export function announce(before, match) {
  for (const one of happened(before, match)) {
    if (waiting.length < MOST_WAITING) waiting.push(one);
  }
  if (leaving === null) showNext();
}

/** Forget all that was to be shown: it was of another match. */
export function forgetBanners() {
  waiting.length = 0;
  clearTimeout(leaving);
  leaving = null;
  banner.hidden = true;
}

/** What happened, as banners `{kind, side, title, detail}`, in the order in which they are shown. */
export function happened(before, match) {
  return [...specials(before, match), ...gamJeoms(before, match), ...challenge(before, match), ...rest(before, match)];
}

function specials(before, match) {
  const known = Math.max(0, ...pointsOf(before).map(({ event }) => event.seq));
  return pointsOf(match)
    .filter(({ event, kind }) => event.seq > known && Object.hasOwn(SPECIAL, kind))
    .reverse()
    .map(({ kind, side }) => of("special", side, KINDS_OF_POINTS[kind][1], `+${SPECIAL[kind]}`, match));
}

function pointsOf(match) {
  return match.match?.points?.nodes ?? [];
}

function gamJeoms(before, match) {
  if (before.round !== match.round) return [];
  return ["BLUE", "RED"]
    .map((side) => ({ side, count: match[side.toLowerCase()]?.gamJeoms ?? 0, was: before[side.toLowerCase()]?.gamJeoms ?? 0 }))
    .filter(({ count, was }) => count > was)
    .map(({ side, count }) => of("gam-jeom", side, "Gam-jeom", String(count), match));
}

function challenge(before, match) {
  const { side, state } = match.challenge ?? {};
  const isSame = before.challenge?.state === state && before.challenge?.side === side;
  const words = OPEN_CHALLENGES[state] ?? CLOSED_CHALLENGES[state];
  return isSame || !words ? [] : [of("challenge", side, "Video review", words, match)];
}

function rest(before, match) {
  if (hasEnded(match) || !isResting(match) || isResting(before)) return [];
  const winner = match.rounds?.find(({ number }) => number === match.round)?.winner ?? null;
  return [of("rest", winner, "Intermission", winner ? `Round ${match.round}` : "", match)];
}

function of(kind, side, title, detail, match) {
  const athlete = match[String(side ?? "").toLowerCase()] ?? {};
  return { kind, side: String(side ?? "").toLowerCase(), title, detail, name: tidy(athlete.name || athlete.longName) };
}

function showNext() {
  const next = waiting.shift();
  leaving = next ? setTimeout(showNext, SHOWN_MS) : null;
  banner.hidden = !next;
  if (!next) return;
  mark(banner, "kind", next.kind);
  mark(banner, "colour", next.side);
  write(banner, "title", next.title);
  write(banner, "detail", next.detail);
  write(banner, "name", next.name);
  restart(banner, "announced");
}
