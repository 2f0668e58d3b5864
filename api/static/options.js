/**
 * What an overlay's address may say behind its `?`. Whoever wrote it is told what is wrong with it, and what to write.
 *
 * Pure functions of the text.
 */

import { tidy } from "/static/words.js";

const LONGEST_QUOTE = 40;

/** An option that is one of some words, the first of them unless said. */
export function oneOf(...words) {
  return {
    initial: words[0],
    read: (text) => words.find((word) => word === text.toLowerCase()),
    says: `one of ${words.join(", ")}`,
  };
}

/** An option that is a whole number. */
export function wholeNumber(least, most, initial) {
  return {
    initial,
    read: (text) => (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most ? Number(text) : undefined),
    says: `a whole number from ${least} to ${most}`,
  };
}

/** An option that is said or not: `?debug`. */
export function flag() {
  return { initial: false, read: (text) => ({ "": true, true: true, false: false })[text.toLowerCase()], says: "said alone, as ?debug is" };
}

/** Read options; returns `{options, errors}`, the errors being sentences. Names are compared without case. */
export function readOptions(search, known) {
  const options = Object.fromEntries(Object.entries(known).map(([name, { initial }]) => [name, initial]));
  const names = Object.keys(known).join(", ");
  const errors = [];
  for (const [given, text] of new URLSearchParams(search)) {
    const name = Object.keys(known).find((one) => one.toLowerCase() === given.toLowerCase());
    const value = name && known[name].read(text);
    if (!name) errors.push(`This overlay knows no “${quote(given)}”: it has ${names || "no options"}.`);
    else if (value === undefined) errors.push(`“${name}” is ${known[name].says}, not “${quote(text)}”.`);
    else options[name] = value;
  }
  return { options, errors };
}

function quote(text) {
  return tidy(text).slice(0, LONGEST_QUOTE);
}
