/**
 * Lines and text in bytes.
 *
 * Owns: where a line ends, and what happens to bytes that are not UTF-8.
 * Never: reads.
 */

import { InvalidInput } from "./failures.js";

/** The byte that ends a line; one of `RETURN` before it belongs to the end. */
export const LINE_FEED = 10;
const RETURN = 13;

/**
 * How to read text: with `fatal: false`, what is not UTF-8 becomes U+FFFD instead of an `InvalidInput`.
 * @typedef {{ fatal?: boolean }} TextOptions
 */

/**
 * How to cut lines: with `keepEnds`, each has its `\n` or `\r\n`.
 * @typedef {{ keepEnds?: boolean }} LineOptions
 */

// A mark at the start of a block is text like any other.
const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const LENIENT = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Cuts bytes into lines, without their ends unless they are asked for.
 * @param {Uint8Array} bytes
 * @param {LineOptions} [options]
 * @returns {Generator<Uint8Array, void, void>}
 */
export function* linesOf(bytes, { keepEnds = false } = {}) {
  let start = 0;
  for (let end; (end = bytes.indexOf(LINE_FEED, start)) >= 0; start = end + 1) {
    if (keepEnds) yield bytes.subarray(start, end + 1);
    else yield bytes.subarray(start, bytes[end - 1] === RETURN ? end - 1 : end);
  }
  if (start < bytes.length) yield bytes.subarray(start);
}

/**
 * Bytes as text.
 * @param {Uint8Array} bytes
 * @param {TextOptions} [options]
 * @param {number} [linesBefore] how many lines came before these bytes, for the message
 */
export function textOf(bytes, { fatal = true } = {}, linesBefore = 0) {
  if (!fatal) return LENIENT.decode(bytes);
  const text = decoded(bytes);
  if (text !== undefined) return text;
  const index = [...linesOf(bytes)].findIndex((line) => decoded(line) === undefined);
  throw new InvalidInput(`line ${linesBefore + index + 1} is not UTF-8`);
}

/**
 * Cuts text into lines without their ends.
 * @param {string} text
 */
export function textLinesOf(text) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/**
 * One array of several.
 * @param {Uint8Array[]} pieces
 */
export function joined(pieces) {
  if (pieces.length === 1) return pieces[0];
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let end = 0;
  for (const piece of pieces) {
    whole.set(piece, end);
    end += piece.length;
  }
  return whole;
}

/** @param {Uint8Array} bytes */
function decoded(bytes) {
  try {
    return STRICT.decode(bytes);
  } catch {
    return undefined;
  }
}
