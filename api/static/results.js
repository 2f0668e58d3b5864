/** Previous results: what both have fought before, and how it ended. */

import { drawCountry, field, fit, make, partOf, write } from "/static/drawing.js";
import { matchLine, matchNumber, phaseInShort, resultCode, tidy, tournamentOf } from "/static/words.js";

const MOST_FIGHTS = 4;

const scene = document.getElementById("results");

/** Draw how those who fight a match have fought so far. */
export function drawResults(match) {
  write(scene, "tournament", tournamentOf(match));
  write(scene, "number", matchNumber(match));
  write(scene, "line", matchLine(match, { isShort: true }));
  for (const side of ["blue", "red"]) {
    const element = partOf(scene, side);
    const shown = match[side] ?? {};
    const athlete = match.match?.fighters?.find((one) => String(one.side).toLowerCase() === side)?.athlete;
    drawCountry(element.querySelector(".country"), shown.countryCode);
    write(element, "record", recordOf(athlete));
    const before = fightsBefore(athlete, match.match?.id);
    field(element, "fights").replaceChildren(...before.map((one) => rowOf(one, athlete)));
    field(element, "nothing").hidden = before.length > 0;
    fit(field(element, "name"), [shown.longName || shown.name, shown.name]);
  }
}

/** Fights won and lost, and what share was won of those that had a winner. */
export function recordOf(athlete) {
  const { wins = 0, losses = 0, ties = 0 } = athlete?.record ?? {};
  if (!(wins + losses + ties)) return "";
  const share = wins + losses ? [`${Math.round((100 * wins) / (wins + losses))} %`] : [];
  return [`${wins} won`, `${losses} lost`, ...(ties ? [`${ties} tied`] : []), ...share].join("  ·  ");
}

function fightsBefore(athlete, present) {
  const fights = athlete?.matches?.nodes ?? [];
  return fights.filter(({ id, state }) => id !== present && state === "ENDED").slice(0, MOST_FIGHTS);
}

function rowOf(fight, athlete) {
  const own = fight.sides.find((one) => one.athlete?.id === athlete.id)?.side;
  const opponent = fight.sides.find((one) => one.side !== own)?.athlete;
  const isTie = fight.outcome === "TIE" || !fight.outcome;
  const row = make("li", "", isTie ? "tied" : fight.outcome === own ? "won" : "lost");
  const name = make("span", tidy(opponent?.shortName || opponent?.name) || "–", "opponent");
  name.dir = "auto";
  row.append(
    make("b", isTie ? "T" : fight.outcome === own ? "W" : "L"),
    make("i", phaseInShort(fight.phase)),
    name,
    make("em", tidy(opponent?.countryCode).slice(0, 6)),
    make("strong", scoreFor(fight, own)),
  );
  return row;
}

/** The rounds won, one's own first, and how it was decided. */
function scoreFor(fight, own) {
  const [, blue, red] = /^\s*(\d+)\s*-\s*(\d+)/.exec(fight.roundScore ?? "") ?? [];
  const score = blue === undefined ? "" : own === "RED" ? `${red}–${blue}` : `${blue}–${red}`;
  return [score, resultCode(fight)].filter(Boolean).join(" ");
}
