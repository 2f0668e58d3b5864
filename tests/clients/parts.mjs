// Parts of our pages that need no page: what waits for a video, and what counts clocks; the time is told to them.
import { readFile } from "node:fs/promises";

const folder = new URL("../../api/static/", import.meta.url);

async function part(name) {
  const text = await readFile(new URL(name, folder), "utf8");
  return import(`data:text/javascript,${encodeURIComponent(text)}`);
}

const { MOST_WAITING, delayed } = await part("delay.js");
const { anchor, format, remaining, settle, untilNextSecond } = await part("clock.js");

/** A time that is moved, and goes off where it was asked to. */
function timeline() {
  let now = 0;
  const alarms = [];
  const moveTo = (moment) => {
    for (;;) {
      alarms.sort((one, other) => one.at - other.at);
      if (!alarms.length || alarms[0].at > moment) break;
      const { at, work } = alarms.shift();
      now = at;
      work();
    }
    now = moment;
  };
  return { now: () => now, later: (work, wait) => alarms.push({ at: now + wait, work }), moveTo };
}

function shownOf(milliseconds, arrivals) {
  const time = timeline();
  const shown = [];
  const late = delayed(milliseconds, (value) => shown.push([time.now(), value]), time);
  for (const [at, value] of arrivals) {
    time.moveTo(at);
    late.arrive(value);
  }
  time.moveTo(200_000);
  return shown;
}

function shownThroughAFault() {
  const time = timeline();
  const shown = [];
  const show = (value) => {
    if (value === "fault") throw new Error(value);
    shown.push(value);
  };
  const late = delayed(10, show, time);
  for (const value of ["first", "fault", "after"]) late.arrive(value);
  try {
    time.moveTo(20);
  } catch {
    time.moveTo(40);
  }
  return shown;
}

function mostThatWait() {
  const time = timeline();
  const shown = [];
  const late = delayed(60_000, (value) => shown.push(value), time);
  for (let value = 0; value < MOST_WAITING + 4; value += 1) late.arrive(value);
  return { waiting: late.waiting(), shown };
}

// The server's clock is an hour behind this machine's, which does not matter.
const running = { state: "RUNNING", remainingMs: 60_000, asOf: "2026-11-21T09:00:00.000Z" };
const seen = anchor(running, "2026-11-21T09:00:01.500Z", 1_000);
const slower = anchor(running, "2026-11-21T09:00:01.500Z", 1_300);
const jumped = anchor({ ...running, remainingMs: 90_000 }, "2026-11-21T09:00:00.000Z", 2_000);
const stopped = anchor({ ...running, state: "STOPPED" }, "2026-11-21T10:00:00.000Z", 1_000);

console.log(
  JSON.stringify({
    undelayed: shownOf(0, [[0, "a"], [5, "b"]]),
    delayed: shownOf(1_000, [[0, "a"], [5, "b"], [6, "c"], [4_000, "d"]]),
    throughAFault: shownThroughAFault(),
    most: mostThatWait(),
    counts: [1_000, 2_000, 59_499, 59_500, 90_000].map((now) => remaining(seen, now)),
    stands: remaining(stopped, 90_000),
    untilNextSecond: [untilNextSecond(seen, 1_000), untilNextSecond(stopped, 1_000), untilNextSecond(seen, 90_000)],
    keepsTheTruer: settle(seen, slower, 2_000) === seen,
    takesACorrection: settle(seen, jumped, 2_000) === jumped,
    isNone: [anchor(null, "", 0), remaining(null, 0)],
    formats: [120_000, 59_999, 1_000, 999, 0, -5].map(format),
  }),
);
