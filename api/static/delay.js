/**
 * Lets what arrives wait, so that an overlay matches a video that comes later than the fight.
 *
 * It waits here and not at the server, so that what is waiting outlives a lost connection.
 */

// A minute of the busiest fight is a tenth of it. What exceeds it is shown before its time.
export const MOST_WAITING = 2_000;

/**
 * Returns `{arrive, waiting}`. What is given to `arrive` is given to `show` so many milliseconds later and in order; the
 * very first at once, as a page that was just opened has nothing better to show. `waiting()` says how many there are.
 */
export function delayed(milliseconds, show, { now = () => performance.now(), later = setTimeout } = {}) {
  const queue = [];
  let hasBegun = false;
  let isWound = false;

  function arrive(...values) {
    if (!milliseconds || !hasBegun) {
      hasBegun = true;
      show(...values);
      return;
    }
    queue.push({ dueAt: now() + milliseconds, values });
    if (queue.length > MOST_WAITING) show(...queue.shift().values);
    wind();
  }

  function wind() {
    if (isWound || !queue.length) return;
    isWound = true;
    later(goOff, Math.max(0, queue[0].dueAt - now()));
  }

  function goOff() {
    isWound = false;
    try {
      while (queue.length && queue[0].dueAt <= now()) show(...queue.shift().values);
    } finally {
      wind();
    }
  }

  return { arrive, waiting: () => queue.length };
}
