/** The table of what happened, newest first: for whoever runs the event. */

import { format } from "/static/clock.js";
import { field, make, mark, write } from "/static/drawing.js";
import { CLOSED_CHALLENGES, KINDS_OF_POINTS, OPEN_CHALLENGES, matchLine, matchNumber, tidy } from "/static/words.js";

const MOST_ROWS = 12;
const SIDES = { BLUE: "Blue", RED: "Red" };

const scene = document.getElementById("events");

/** Draw what happened in a match: points, penalties and video challenges. */
export function drawEvents(match) {
  write(scene, "number", matchNumber(match));
  write(scene, "line", matchLine(match, { isShort: true }));
  field(scene, "events").replaceChildren(...told(match).map(rowOf));
}

function told({ match }) {
  const points = (match?.points?.nodes ?? []).map((one) => {
    const [code, text] = KINDS_OF_POINTS[one.kind] ?? [tidy(one.kind), ""];
    return { ...one, code, text };
  });
  const penalties = (match?.penalties?.nodes ?? []).map((one) => ({ ...one, code: "R", text: `Gam-jeom ${one.number}` }));
  const challenges = (match?.challenges?.nodes ?? []).map((one) => {
    const words = OPEN_CHALLENGES[one.state] ?? CLOSED_CHALLENGES[one.state] ?? "";
    return { ...one, code: "R", text: `Video review ${words}`.trim() };
  });
  return [...points, ...penalties, ...challenges].sort((one, other) => other.event.seq - one.event.seq).slice(0, MOST_ROWS);
}

function rowOf({ code, side, round, clockMs, text }) {
  const row = make("tr");
  mark(row, "colour", String(side ?? "").toLowerCase());
  const cells = [code, SIDES[side] ?? "Referee", `R${round}`, format(clockMs), text];
  row.append(...cells.map((cell) => make("td", cell)));
  return row;
}
