/**
 * What a component exports: a module has `export const handler = defineHandler(…)`, and `collector` if it likes.
 *
 * Owns: how the contract's functions call a task, and how they say that it failed.
 */

import { Chunk, Partials } from "./chunk.js";
import { Failure } from "./failures.js";
import { Output } from "./output.js";

/**
 * The work on one chunk. `handle` works on the chunk and writes what came out; it may be async.
 * @template [Parameters=any]
 * @typedef {{
 *   handle(chunk: Chunk, parameters: Parameters, output: Output): void | Promise<void>,
 * }} Handler
 */

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
      call((output) => task.handle(new Chunk(chunk), JSON.parse(parameters), output)),
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
      call((output) => task.merge(new Partials(parts), JSON.parse(parameters), output)),
    /**
     * @param {import("pframe:task/input@0.1.0").Partials} parts
     * @param {string} parameters
     */
    finish: (parts, parameters) =>
      call((output) => conclude.call(task, new Partials(parts), JSON.parse(parameters), output)),
  };
}

/**
 * Runs the work, and says in the contract's words how it failed.
 * @param {(output: Output) => void | Promise<void>} work
 */
async function call(work) {
  const output = new Output();
  try {
    await work(output);
    output.flush();
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
