/**
 * Bytes that the host holds.
 *
 * Owns: reading them by blocks and lines, and what a failed read means.
 * Never: shows a BigInt; offsets and sizes are numbers here.
 */

import { InvalidInput, Permanent, Transient } from "./failures.js";
import { joined, LINE_FEED, linesOf, textLinesOf, textOf } from "./text.js";

/** Bytes of one read at most, as the contract says. */
const PIECE_BYTES_MAX = 1 << 20;

/** @typedef {import("./text.js").LineOptions} LineOptions */
/** @typedef {import("./text.js").TextOptions} TextOptions */

/** Bytes that the host holds; read a piece at a time, in any order. */
export class Bytes {
  #read;

  /**
   * @param {bigint} size
   * @param {(offset: bigint, length: number) => Uint8Array} read
   */
  constructor(size, read) {
    /** How many there are. */
    this.size = toNumber(size);
    this.#read = read;
  }

  /**
   * Up to `length` bytes, at most 1 MiB, from `offset`; fewer only where the end comes first.
   * @param {number} offset
   * @param {number} [length]
   * @returns {Uint8Array}
   */
  readAt(offset, length = PIECE_BYTES_MAX) {
    check("offset", offset, 0);
    check("length", length, 0);
    if (length > PIECE_BYTES_MAX) {
      throw new Permanent(`more than ${PIECE_BYTES_MAX} bytes were asked for at once`);
    }
    try {
      return this.#read(BigInt(offset), length);
    } catch (error) {
      throw failure(error, offset);
    }
  }

  /**
   * All of it, so many bytes at a time.
   * @param {number} [length]
   * @returns {Generator<Uint8Array, void, void>}
   */
  *blocks(length = PIECE_BYTES_MAX) {
    check("length", length, 1);
    for (let offset = 0; offset < this.size; offset += length) yield this.readAt(offset, length);
  }

  /**
   * Its lines without their ends (`\n` or `\r\n`); a last line without an end counts. Bytes: nothing is lost where the
   * text is not UTF-8. With `keepEnds` the lengths of the lines add up to offsets.
   * @param {LineOptions} [options]
   * @returns {Generator<Uint8Array, void, void>}
   */
  *lines(options) {
    for (const block of this.#wholeLines()) yield* linesOf(block, options);
  }

  /**
   * Its lines as text; what is not UTF-8 is an `InvalidInput` that names the line.
   * @param {TextOptions} [options]
   * @returns {Generator<string, void, void>}
   */
  *textLines(options) {
    let count = 0;
    for (const block of this.#wholeLines()) {
      // Decoded and cut as a whole: a call for each line would take an interpreter most of the time.
      const lines = textLinesOf(textOf(block, options, count));
      yield* lines;
      count += lines.length;
    }
  }

  /**
   * All of it in memory.
   * @returns {Uint8Array}
   */
  readAll() {
    return joined([...this.blocks()]);
  }

  /**
   * All of it as text; what is not UTF-8 is an `InvalidInput` that names the line.
   * @param {TextOptions} [options]
   * @returns {string}
   */
  text(options) {
    return textOf(this.readAll(), options);
  }

  /**
   * All of it as the value of JSON.
   * @returns {any}
   */
  json() {
    const text = this.text();
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new InvalidInput(`the data is not JSON: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** Blocks that end where a line does; a line that is longer than a block comes in one piece. */
  *#wholeLines() {
    /** @type {Uint8Array[]} */
    let begun = [];
    for (const block of this.blocks()) {
      const end = block.lastIndexOf(LINE_FEED) + 1;
      if (end > 0) {
        yield joined([...begun, block.subarray(0, end)]);
        begun = [];
      }
      if (end < block.length) begun.push(block.subarray(end));
    }
    if (begun.length > 0) yield joined(begun);
  }
}

/**
 * A number of the contract as one of JavaScript.
 * @param {bigint} value
 */
export function toNumber(value) {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Permanent(`${value} is more than a number can hold`);
  return number;
}

/**
 * @param {string} name
 * @param {number} value
 * @param {number} min
 */
function check(name, value, min) {
  if (Number.isSafeInteger(value) && value >= min) return;
  throw new RangeError(`${name} is ${value}, not a whole number from ${min}`);
}

/**
 * @param {any} error
 * @param {number} offset
 */
function failure(error, offset) {
  /** @type {import("pframe:task/types@0.1.0").ReadError | undefined} */
  const reason = error?.payload;
  switch (reason?.tag) {
    case "input-changed":
      return new Permanent("the input is no longer what it was when the job was accepted");
    case "io":
      return new Transient(`reading at byte ${offset}: ${reason.val}`);
    case "too-long":
      return new Permanent(`more than ${PIECE_BYTES_MAX} bytes were asked for at once`);
    case "out-of-range":
      return new Permanent(`byte ${offset} lies beyond the end`);
    default:
      return error;
  }
}
