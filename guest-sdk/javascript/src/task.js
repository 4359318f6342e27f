/**
 * What a component exports: a module has `export const handler = defineHandler(…)`, and `chunker` and `collector` if it
 * likes.
 *
 * Owns: how the contract's functions call a task, and how they say that it failed.
 */

import { Chunk, Partials, Source } from "./chunk.js";
import { Failure, Permanent } from "./failures.js";
import { Output } from "./output.js";

/**
 * The work on one chunk. `handle` works on the chunk and writes what came out; it may be async.
 * @template [Parameters=any]
 * @typedef {{
 *   handle(chunk: Chunk, parameters: Parameters, output: Output): void | Promise<void>,
 * }} Handler
 */

/**
 * Custom cuts, for `chunking: { strategy: custom }`. `split` gives the spans of a source in order, none empty, none over
 * another; what lies between them is left out on purpose. It may be a generator or async, but not both. A span counts bytes
 * unless it says another `unit`.
 * @template [Parameters=any]
 * @typedef {{
 *   split(source: Source, parameters: Parameters): Iterable<Cut> | Promise<Iterable<Cut>>,
 * }} Chunker
 */

/** @typedef {{ start: number, end: number, unit?: "bytes" | "milliseconds" }} Cut */

/**
 * From many results to one. `merge` turns several parts into one of the same kind, and is associative. `conclude` turns
 * the parts that are left into the result of the job; without it that is `merge`.
 * @template [Parameters=any]
 * @typedef {{
 *   merge(parts: Partials, parameters: Parameters, output: Output): void | Promise<void>,
 *   conclude?(parts: Partials, parameters: Parameters, output: Output): void | Promise<void>,
 * }} Collector
 */

/**
 * Makes the handler of a module: `export const handler = defineHandler({ handle(chunk, parameters, output) { … } })`.
 * @template [Parameters=any]
 * @param {Handler<Parameters>} task
 */
export function defineHandler(task) {
  requireMethod(task, "handle");
  return {
    /**
     * @param {import("pframe:task/input@0.1.0").Chunk} chunk
     * @param {string} parameters
     */
    run: (chunk, parameters) =>
      written((output) => task.handle(new Chunk(chunk), JSON.parse(parameters), output)),
  };
}

/**
 * Makes the chunker of a module: `export const chunker = defineChunker({ *split(source, parameters) { … } })`.
 * @template [Parameters=any]
 * @param {Chunker<Parameters>} task
 */
export function defineChunker(task) {
  requireMethod(task, "split");
  return {
    /**
     * @param {import("pframe:task/input@0.1.0").Source} source
     * @param {string} parameters
     */
    cut: (source, parameters) =>
      call(async () => [...(await task.split(new Source(source), JSON.parse(parameters)))].map(toSpan)),
  };
}

/**
 * Makes the collector of a module: `export const collector = defineCollector({ merge(parts, parameters, output) { … } })`.
 * @template [Parameters=any]
 * @param {Collector<Parameters>} task
 */
export function defineCollector(task) {
  requireMethod(task, "merge");
  const conclude = task.conclude ?? task.merge;
  return {
    /**
     * @param {import("pframe:task/input@0.1.0").Partials} parts
     * @param {string} parameters
     */
    combine: (parts, parameters) =>
      written((output) => task.merge(new Partials(parts), JSON.parse(parameters), output)),
    /**
     * @param {import("pframe:task/input@0.1.0").Partials} parts
     * @param {string} parameters
     */
    finish: (parts, parameters) =>
      written((output) => conclude.call(task, new Partials(parts), JSON.parse(parameters), output)),
  };
}

/**
 * A span in the contract's words. The host says which ones it refuses.
 * @param {Cut} span
 */
function toSpan({ start, end, unit = "bytes" }) {
  return { start: toPlace(start), end: toPlace(end), unit };
}

/** @param {number} value */
function toPlace(value) {
  if (Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw new Permanent(`a span cannot start or end at ${value}`);
}

/**
 * Runs work that has a result, and hands over the rest of it.
 * @param {(output: Output) => void | Promise<void>} work
 */
function written(work) {
  return call(async () => {
    const output = new Output();
    await work(output);
    output.flush();
  });
}

/**
 * Runs the work, and says in the contract's words how it failed.
 * @template Result
 * @param {() => Promise<Result>} work
 */
async function call(work) {
  try {
    return await work();
  } catch (error) {
    const payload = error instanceof Failure ? { tag: error.tag, val: error.message } : crash(error);
    throw Object.assign(new Error(payload.val), { payload });
  }
}

/** @param {unknown} error */
function crash(error) {
  console.error(error instanceof Error ? `${error}\n${error.stack}` : `${error} was thrown`);
  return { tag: "permanent", val: String(error) };
}

/**
 * Refuses a task while it is built, where its author sees it.
 * @param {any} task
 * @param {string} name
 */
function requireMethod(task, name) {
  if (typeof task?.[name] !== "function") throw new TypeError(`a task needs a method \`${name}\``);
}
