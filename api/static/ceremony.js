/** The victory ceremony: who won gold, silver and bronze in the category of a fight. */

import { drawCountry, field, fit, make, write } from "/static/drawing.js";
import { dateInWords, tidy, tournamentOf } from "/static/words.js";

const TITLES = { GOLD: "Gold", SILVER: "Silver", BRONZE: "Bronze" };
const MOST_MEDALS = 6;

const scene = document.getElementById("ceremony");
const pattern = scene.querySelector("template");

/** Say whether there is anything to draw. */
export function hasMedals(match) {
  return Boolean(match.match?.medals?.length);
}

/** Draw who won medals. */
export function drawCeremony(match) {
  const medals = (match.match?.medals ?? []).slice(0, MOST_MEDALS);
  const [{ weight, division } = {}] = medals;
  write(scene, "tournament", tournamentOf(match));
  write(scene, "title", "Victory ceremony");
  write(scene, "line", [tidy(weight), tidy(division)].filter(Boolean).join("  ·  "));
  write(scene, "date", dateInWords(match.match?.day?.heldOn));
  const wanted = JSON.stringify(medals);
  const steps = field(scene, "steps");
  if (steps.dataset.medals === wanted) return;
  steps.dataset.medals = wanted;
  steps.replaceChildren(...medals.map(stepOf));
  // What has no place on the page has no size, so that nothing could be made to fit in it.
  medals.forEach((medal, index) => fit(field(steps.children[index], "name"), [medal.name, medal.shortName]));
}

function stepOf(medal) {
  const step = make("li", "", "step");
  step.dataset.medal = medal.kind.toLowerCase();
  step.append(pattern.content.cloneNode(true));
  write(step, "medal", TITLES[medal.kind] ?? tidy(medal.kind));
  drawCountry(step.querySelector(".country"), medal.countryCode);
  return step;
}
