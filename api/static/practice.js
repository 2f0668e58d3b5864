/**
 * The practice page: watches one goal and draws how far it is: how many of the goals under it are complete, how often
 * and how long was practised for it, and when it is due. All that its owner wrote goes through `textContent`.
 */

import { PRACTICE } from "/static/documents.js";
import { subscribeToAddress } from "/static/live.js";
import { readOptions } from "/static/options.js";
import { trouble } from "/static/troubles.js";
import { tidy } from "/static/words.js";

const byId = (id) => document.getElementById(id);

const { errors } = readOptions(location.search, {});

let connection = { status: "connecting", message: "" };
let isShown = false;

function arrived(data) {
  const goal = data.goalChanged?.goal ?? null;
  isShown = true;
  byId("goal").hidden = goal === null;
  if (goal !== null) draw(goal);
  drawWaiting();
}

function draw(goal) {
  const { goals = 1, completed = 0, percent = 0, sessions = 0, practisedSeconds = 0 } = goal.rollup?.subtree ?? {};
  const done = goal.isCompleted ? 100 : percent;
  byId("goal").classList.toggle("done", goal.isCompleted);
  byId("fill").style.setProperty("--part", String(done / 100));
  put("name", tidy(goal.name));
  put("percent", `${done}%`);
  put("steps", goals > 1 ? `${completed} of ${goals} goals` : "");
  put("practised", sessions > 0 ? `${sessions} × practised, ${hours(practisedSeconds)}` : "");
  put("deadline", goal.deadline ? `by ${goal.deadline}` : "");
}

function hours(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`;
}

function connectionChanged(status, text) {
  connection = { status, message: text };
  document.body.dataset.connection = status;
  drawWaiting();
}

function drawWaiting() {
  // Once the goal was shown, the audience is spared our troubles: the last picture stays.
  byId("waiting").hidden = isShown && connection.status !== "refused" && connection.status !== "error";
  put("message", trouble(connection, errors) || "Connecting…");
}

function put(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

if (errors.length) connectionChanged("error", "");
else subscribeToAddress({ watched: [{ kinds: ["practice"], query: PRACTICE, onNext: arrived }], onStatus: connectionChanged });
