/**
 * What a task is handed: its chunk, the source that it cuts, or what earlier calls wrote.
 *
 * Owns: what a task may know of them besides their bytes.
 */

import { Bytes, toNumber } from "./bytes.js";

/**
 * A half-open range of a source, in bytes, or in milliseconds of a recording.
 * @typedef {{ start: number, end: number, unit: "bytes" | "milliseconds" }} Span
 */

/** One slice of one input: what a handler works on. */
export class Chunk extends Bytes {
  /** @param {import("pframe:task/input@0.1.0").Chunk} chunk */
  constructor(chunk) {
    super(chunk.size(), (offset, length) => chunk.read(offset, length));
    /** The job that it belongs to. */
    this.jobId = chunk.jobId();
    /** Its place among the chunks of its job, from 0. */
    this.index = chunk.index();
    /** How many chunks the job has. */
    this.count = chunk.count();
    /** Which try this is, from 1. */
    this.attempt = chunk.attempt();
    /** The name of the source that it was cut from. */
    this.source = chunk.source();
    /** Such as `text/plain`, where the host knows it. */
    this.mediaType = chunk.mediaType();
    const { start, end, unit } = chunk.span();
    /**
     * Where it lies in its source.
     * @type {Span}
     */
    this.span = { start: toNumber(start), end: toNumber(end), unit };
  }
}

/** One whole input: what a chunker cuts. */
export class Source extends Bytes {
  /** @param {import("pframe:task/input@0.1.0").Source} source */
  constructor(source) {
    super(source.size(), (offset, length) => source.read(offset, length));
    /** Its name for people; not a path to open. */
    this.name = source.name();
    /** Such as `text/plain`, where the host knows it. */
    this.mediaType = source.mediaType();
  }
}

/** What earlier calls wrote, in the order of the chunks: what a collector works on. */
export class Partials {
  #partials;

  /** @param {import("pframe:task/input@0.1.0").Partials} partials */
  constructor(partials) {
    this.#partials = partials;
    /** How many parts there are. */
    this.length = partials.count();
  }

  /** @returns {Generator<Bytes, void, void>} */
  *[Symbol.iterator]() {
    for (let index = 0; index < this.length; index += 1) yield this.#part(index);
  }

  /**
   * One of them, as `Array.prototype.at` has it: -1 is the last, and there may be none.
   * @param {number} index
   * @returns {Bytes | undefined}
   */
  at(index) {
    const place = index < 0 ? this.length + index : index;
    return place >= 0 && place < this.length ? this.#part(place) : undefined;
  }

  /** @param {number} index */
  #part(index) {
    const partials = this.#partials;
    return new Bytes(partials.size(index), (offset, length) => partials.read(index, offset, length));
  }
}
