/**
 * Write a handler for pframe-host in JavaScript.
 *
 *     import { defineHandler } from "pframe-guest";
 *
 *     export const handler = defineHandler({
 *       handle(chunk, parameters, output) {
 *         let count = 0;
 *         for (const line of chunk.lines()) count += 1;
 *         output.write(`${count}\n`);
 *       },
 *     });
 *
 * Built by `componentize-js` (README.md). Everything that a handler is given comes through `chunk`, everything that it
 * makes leaves through `output`.
 *
 * Owns: the names that a user may import.
 */

export { Bytes } from "./bytes.js";
export { Chunk, Partials, Source } from "./chunk.js";
export { Failure, InvalidInput, Permanent, Transient } from "./failures.js";
export { Output, reportProgress } from "./output.js";
export { defineChunker, defineCollector, defineHandler } from "./task.js";

/** @typedef {import("./chunk.js").Span} Span */
/** @typedef {import("./text.js").LineOptions} LineOptions */
/** @typedef {import("./text.js").TextOptions} TextOptions */
/**
 * @template [Parameters=any]
 * @typedef {import("./task.js").Handler<Parameters>} Handler
 */
/**
 * @template [Parameters=any]
 * @typedef {import("./task.js").Chunker<Parameters>} Chunker
 */
/**
 * @template [Parameters=any]
 * @typedef {import("./task.js").Collector<Parameters>} Collector
 */
