/**
 * Countdown clocks that do not trust this machine's wall clock.
 *
 * The server says what was left (`remainingMs`) at a moment of its own (`asOf`) and when it sent that (`sentAt`).
 * Both moments are the server's, so their difference holds whatever time this machine believes it is; from the
 * arrival on, the monotonic `performance.now()` counts. Pure functions: `now` is always a parameter.
 */

/** Readings of one running clock that differ by less than this are the same countdown, seen through a slower network. */
const SAME_COUNTDOWN_MS = 400;

/** What a clock read when it arrived: `{running, remainingMs, at}`, or null if there is no such clock. */
export function anchor(clock, sentAt, now) {
  if (!clock || !Number.isFinite(clock.remainingMs)) return null;
  const running = clock.state === "RUNNING";
  const age = running ? Date.parse(sentAt) - Date.parse(clock.asOf) : 0;
  return { running, remainingMs: clock.remainingMs - (age > 0 ? age : 0), at: now };
}

/** What is left now, in milliseconds; never below zero. */
export function remaining(anchored, now) {
  if (!anchored) return 0;
  const counted = anchored.running ? now - anchored.at : 0;
  return Math.max(0, anchored.remainingMs - counted);
}

/**
 * Which of two anchors to count from. Delay on the way only ever makes a running clock look fuller than it is, so of
 * two close readings the lower one is the truer, and keeping it stops the seconds from jumping back.
 */
export function settle(previous, next, now) {
  if (!previous?.running || !next?.running) return next;
  const ahead = remaining(next, now) - remaining(previous, now);
  return ahead > 0 && ahead < SAME_COUNTDOWN_MS ? previous : next;
}

/** `m:ss`, the seconds begun not rounded up: 59,999 ms read 0:59. */
export function format(ms) {
  const seconds = Math.floor(Math.max(0, Number(ms) || 0) / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Milliseconds until the shown seconds change, or null when they will not. */
export function untilNextSecond(anchored, now) {
  const left = remaining(anchored, now);
  if (!anchored?.running || left <= 0) return null;
  return (left % 1000) + 1;
}
