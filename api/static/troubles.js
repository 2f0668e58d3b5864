/** What an overlay says while it has nothing to show: in words, to whoever sets it up. */

import { tokenOfAddress } from "/static/live.js";
import { tidy } from "/static/words.js";

/** A sentence on how a connection is, or on what is wrong with the page's options; "" if nothing is in the way. */
export function trouble({ status, message }, errors = []) {
  if (errors.length) return errors.join(" ");
  if (status === "live") return "";
  if (status === "error") return tidy(message) || "The server refused this overlay";
  if (status !== "refused") return "Connecting…";
  if (!tokenOfAddress()) return "This overlay’s address has no token: it ends in #token=…";
  // A close code comes with a word, a refused operation with a sentence.
  return message.includes(" ") ? tidy(message) : "This overlay’s token was refused";
}
