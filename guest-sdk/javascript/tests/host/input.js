/** The host's side of `input`: data that a test holds, read as the contract has it. */

/** @param {string | Uint8Array} data */
export function bytes(data) {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

/**
 * An error as `componentize-js` shows it.
 * @param {unknown} payload
 */
export function refusal(payload) {
  return Object.assign(new Error(`${payload}`), { payload });
}

/**
 * A length is 32 bits wide, as the real bindings cut it.
 * @param {Uint8Array} data
 * @returns {(offset: bigint, length: number) => Uint8Array}
 */
export function reader(data) {
  return (offset, length) => {
    if (offset > data.length) throw refusal({ tag: "out-of-range" });
    if (length >>> 0 > 1 << 20) throw refusal({ tag: "too-long" });
    return data.slice(Number(offset), Number(offset) + (length >>> 0));
  };
}

/**
 * @param {string | Uint8Array} data
 * @returns {import("pframe:task/input@0.1.0").Chunk}
 */
export function chunk(data) {
  const held = bytes(data);
  return {
    jobId: () => "job",
    index: () => 0,
    count: () => 1,
    attempt: () => 1,
    source: () => "novel.txt",
    mediaType: () => undefined,
    size: () => BigInt(held.length),
    span: () => ({ start: 0n, end: BigInt(held.length), unit: "bytes" }),
    read: reader(held),
  };
}

/**
 * @param {string | Uint8Array} data
 * @returns {import("pframe:task/input@0.1.0").Source}
 */
export function source(data) {
  const held = bytes(data);
  return {
    name: () => "novel.txt",
    mediaType: () => "text/plain",
    size: () => BigInt(held.length),
    read: reader(held),
  };
}

/**
 * @param {...string} parts
 * @returns {import("pframe:task/input@0.1.0").Partials}
 */
export function partials(...parts) {
  return {
    count: () => parts.length,
    size: (index) => BigInt(bytes(parts[index]).length),
    read: (index, offset, length) => reader(bytes(parts[index]))(offset, length),
  };
}
