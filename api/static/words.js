/** What a scoreboard says, in words: all of it came from outside and is made plain here. Pure functions. */

const LONGEST_TEXT = 120;

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
const MONTHS = "January February March April May June July August September October November December".split(" ");
/** Ways to score: how a list calls them, and how a person does. */
export const KINDS_OF_POINTS = {
  PUNCH: ["P", "Punch"],
  BODY: ["K", "Body kick"],
  HEAD: ["H", "Head kick"],
  TURNING_BODY: ["TB", "Turning kick to the body"],
  TURNING_HEAD: ["TH", "Turning kick to the head"],
};
const UNDECIDED = { NOT_FOUGHT: "Not fought", ABANDONED: "Abandoned" };
// The codes that are known; another is shown as it came.
const WAYS_TO_WIN = {
  PTF: "Final score",
  PTG: "Point gap",
  GDP: "Golden point",
  SUP: "Superiority",
  WDR: "Withdrawal",
  RSC: "Referee stopped the contest",
  DSQ: "Disqualification",
  PUN: "Punitive declaration",
};
export const OPEN_CHALLENGES = { ASKED: "asked for", ACCEPTED: "under way" };
export const CLOSED_CHALLENGES = { REFUSED: "refused", CANCELLED: "withdrawn", WON: "upheld", LOST: "not upheld" };

/** One line of plain text: no control characters, none that turn the writing direction of what follows. */
export function tidy(text) {
  const plain = String(text ?? "").replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, " ");
  return Array.from(plain.replace(/\s+/g, " ").trim()).slice(0, LONGEST_TEXT).join("");
}

export function hasEnded(match) {
  return match.state === "ENDED" || isUndecided(match);
}

export function isUndecided(match) {
  return Object.hasOwn(UNDECIDED, match.state);
}

export function isResting(match) {
  const rest = match.breakClock;
  if (!rest || hasEnded(match) || match.clock?.state === "RUNNING") return false;
  return rest.state === "RUNNING" || rest.remainingMs > 0;
}

/** The side that was announced as the winner, `null` if none was. */
export function winnerOf(match) {
  const outcome = String(match.outcome ?? "").toLowerCase();
  return match.state === "ENDED" && (outcome === "blue" || outcome === "red") ? outcome : null;
}

/** Weight, age group and phase; shortened where there is little room. */
export function matchLine(match, { isShort }) {
  const [division, phase] = [tidy(match.division), tidy(match.phase)];
  const parts = isShort ? [shorten(division, DIVISIONS), shorten(phase, PHASES)] : [division, phase];
  return [tidy(match.weight), ...parts].filter(Boolean).join("  ·  ");
}

export function matchNumber(match) {
  const number = tidy(match.number).replace(/^0+(?=\d)/, "");
  return number && `Match ${number}`;
}

export function tournamentOf(match) {
  return tidy(match.match?.mat?.tournament?.name);
}

/** Where the server has the tournament's logo, `null` if there is none. */
export function logoOf(match) {
  return match.match?.mat?.tournament?.logoUrl ?? null;
}

/** A date such as `2026-11-21`, in words; "" if there is none. */
export function dateInWords(date) {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(date ?? "") ?? [];
  return year ? `${Number(day)} ${MONTHS[month - 1] ?? ""} ${year}` : "";
}

/** The name of a side's country, as far as anybody knows its code. */
export function countryOf(match, side) {
  const found = match.match?.sides?.find((one) => String(one.side).toLowerCase() === side);
  return tidy(found?.athlete?.country?.countryName);
}

/** What the clock is of. */
export function label(match) {
  if (isUndecided(match)) return UNDECIDED[match.state];
  if (hasEnded(match)) return { TIE: "Tie", BLUE: "Result", RED: "Result" }[match.outcome] ?? "Ended";
  return isResting(match) ? "Rest" : `Round ${match.round ?? 1}`;
}

/** The code by which it was won, without the round score that some results begin with: that is shown on its own. */
export function resultCode(match) {
  return tidy(match.resultCode).replace(/^\d+\s*-\s*\d+\s+/, "");
}

/** A phase in short. */
export function phaseInShort(phase) {
  return shorten(tidy(phase), PHASES);
}

/** How it was won, in words where the code is known. */
export function howWon(match) {
  const code = resultCode(match);
  return Object.hasOwn(WAYS_TO_WIN, code) ? WAYS_TO_WIN[code] : code;
}

/** The rounds won of a side; once there is a result, as it was announced. */
export function roundsWon(match, side) {
  const announced = /^\s*(\d+)\s*-\s*(\d+)/.exec(hasEnded(match) ? (match.roundScore ?? "") : "");
  return announced ? Number(announced[side === "blue" ? 1 : 2]) : (match[side]?.roundsWon ?? 0);
}

/** Rounds that are over, in order. */
export function roundsOver(match) {
  const isOver = (match.state !== "NOT_FOUGHT" && hasEnded(match)) || isResting(match);
  return (match.rounds ?? []).filter((round) => round.number < match.round || (isOver && round.number === match.round));
}

/** What tells one match from another. */
export function sameMatch(one, other) {
  return Boolean(one && other) && one.match?.id === other.match?.id;
}

function shorten(text, rules) {
  const rule = rules.find(([pattern]) => pattern.test(text));
  return rule ? text.replace(...rule) : text;
}
