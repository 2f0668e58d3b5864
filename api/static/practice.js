/**
 * The practice page: watches one goal and draws how far it is: how many of the goals under it are complete, how often
 * and how long was practised for it, and when it is due. All that its owner wrote goes through `textContent`.
 */

import { PRACTICE } from "/static/documents.js";
import { subscribeToAddress, tokenOfAddress } from "/static/live.js";

const byId = (id) => document.getElementById(id);

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
  put("message", waitingText());
}

function waitingText() {
  if (connection.status === "error") return tidy(connection.message) || "The server refused this overlay";
  if (connection.status !== "refused") return "Connecting…";
  if (!tokenOfAddress()) return "This overlay’s address has no token";
  return connection.message.includes(" ") ? tidy(connection.message) : "This overlay’s token was refused";
}

function put(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/** One line of plain text: no control characters, none that turn the writing direction of what follows. */
function tidy(text) {
  const plain = String(text ?? "").replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, " ");
  return plain.replace(/\s+/g, " ").trim().slice(0, 200);
}

subscribeToAddress({ kinds: ["practice"], query: PRACTICE, onNext: arrived, onStatus: connectionChanged });
