/** The introduction: who will fight, before they do. */

import { drawCountry, field, fit, partOf, write } from "/static/drawing.js";
import { matchLine, matchNumber, tournamentOf } from "/static/words.js";

const CORNERS = { blue: "Blue · Chong", red: "Red · Hong" };

const scene = document.getElementById("introduction");

/** Draw who fights in a match. */
export function drawIntroduction(match) {
  const tournament = write(scene, "tournament", tournamentOf(match));
  // Its place stays, so that nothing moves when it is named.
  tournament.parentElement.classList.toggle("nothing", !tournament.textContent);
  write(scene, "number", matchNumber(match));
  write(scene, "line", matchLine(match, { isShort: false }));
  for (const side of ["blue", "red"]) {
    const element = partOf(scene, side);
    const athlete = match[side] ?? {};
    drawCountry(element.querySelector(".country"), athlete.countryCode);
    write(element, "corner", CORNERS[side]);
    fit(field(element, "name"), [athlete.longName || athlete.name, athlete.name]);
  }
}
