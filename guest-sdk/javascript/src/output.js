/**
 * What a task makes.
 *
 * Owns: collecting small writes, and cutting large ones.
 */

import { write } from "pframe:task/output@0.1.0";
import { report } from "pframe:task/progress@0.1.0";

import { Permanent } from "./failures.js";
import { joined } from "./text.js";

/** Bytes of one write at most, as the contract says. */
const PIECE_BYTES_MAX = 1 << 20;
/** Small writes are collected up to here: each call of the host costs more than they do. */
const COLLECTED_BYTES_MAX = 64 << 10;

const ENCODER = new TextEncoder();

/** The result of the running call. It counts only if the call ends well. */
export class Output {
  /** @type {Uint8Array[]} */
  #pieces = [];
  // Comes after the pieces: to append to a string is cheap, to encode each bit of text is not.
  #text = "";
  #length = 0;

  /**
   * Appends bytes, or text as UTF-8.
   * @param {string | Uint8Array} data
   */
  write(data) {
    if (typeof data === "string") this.#text += data;
    else this.#append(data);
    this.#length += data.length;
    if (this.#length >= COLLECTED_BYTES_MAX) this.flush();
  }

  /**
   * Appends a value as one line of JSON.
   * @param {any} value
   */
  writeJson(value) {
    const json = JSON.stringify(value);
    if (json === undefined) throw new TypeError(`JSON has no word for ${typeof value}`);
    this.write(`${json}\n`);
  }

  /** Hands over what was collected; the end of the call does so too. */
  flush() {
    this.#encodeText();
    const bytes = joined(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    for (let start = 0; start < bytes.length; start += PIECE_BYTES_MAX) {
      handOver(bytes.subarray(start, start + PIECE_BYTES_MAX));
    }
  }

  /** @param {Uint8Array} bytes */
  #append(bytes) {
    if (!(bytes instanceof Uint8Array)) throw new TypeError("write takes a string or a Uint8Array");
    this.#encodeText();
    // A copy: the caller may use its array again.
    this.#pieces.push(new Uint8Array(bytes));
  }

  #encodeText() {
    if (this.#text !== "") this.#pieces.push(ENCODER.encode(this.#text));
    this.#text = "";
  }
}

/**
 * Says how much of this call is done, from 0 to 1, with a short word for people.
 * @param {number} done
 * @param {string} [message]
 */
export function reportProgress(done, message) {
  report(done, message);
}

/** @param {Uint8Array} piece */
function handOver(piece) {
  try {
    write(piece);
  } catch (error) {
    const reason = /** @type {{ payload?: unknown }} */ (error).payload;
    throw reason === undefined ? error : new Permanent(`writing: ${reason}`);
  }
}
