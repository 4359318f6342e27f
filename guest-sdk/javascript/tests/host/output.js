/** The host's side of `output`: it keeps what is written, or refuses it. */

import { refusal } from "./input.js";

/** @type {Uint8Array[]} */
let pieces = [];
/** @type {string | undefined} */
let refused;

/** @param {Uint8Array} bytes */
export function write(bytes) {
  if (refused !== undefined) throw refusal(refused);
  pieces.push(new Uint8Array(bytes));
}

/**
 * From now on every write fails with this text, or none does.
 * @param {string | undefined} text
 */
export function refuse(text) {
  refused = text;
}

/** What was written since it was asked last, a piece for each call. */
export function written() {
  const taken = pieces;
  pieces = [];
  return taken;
}
