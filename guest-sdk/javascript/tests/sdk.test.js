/** The SDK on data that a test holds. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as host from "./host/input.js";
import { refuse, written } from "./host/output.js";
import { reports } from "./host/progress.js";
import * as guest from "../src/index.js";

/** @param {string | Uint8Array} data */
const of = (data) => new guest.Chunk(host.chunk(data));

/** @param {Uint8Array[]} pieces */
const joined = (pieces) => Buffer.concat(pieces).toString("latin1");

for (const length of [1, 2, 3, 5, 1 << 20]) {
  test(`lines are whole wherever a block of ${length} ends`, (context) => {
    const { blocks } = guest.Bytes.prototype;
    /** @this {guest.Bytes} */
    function short() {
      return blocks.call(this, length);
    }
    context.mock.method(guest.Bytes.prototype, "blocks", short);
    /** @param {string} data */
    const lines = (data) => {
      const chunk = of(Buffer.from(data, "latin1"));
      const found = [...chunk.lines()].map((line) => Buffer.from(line).toString("latin1"));
      const text = Array.from(chunk.textLines({ fatal: false }), (line) => line.replace("\ufffd", "\xff"));
      assert.deepEqual(text, found);
      const whole = [...chunk.lines({ keepEnds: true })];
      assert.equal(joined(whole), data);
      assert.equal(whole.length, found.length);
      return found;
    };
    assert.deepEqual(lines("one\r\n\ntwo\n\xff\nthree"), ["one", "", "two", "\xff", "three"]);
    assert.deepEqual(lines("a\r\r\n\r\nb\rc\nlast\r"), ["a\r", "", "b\rc", "last\r"]);
    assert.deepEqual(lines(""), []);
    assert.deepEqual(lines("\n"), [""]);
    assert.deepEqual([...of("\ufeffä\n€\r\n😀").textLines()], ["\ufeffä", "€", "😀"]);
    assert.throws(() => [...of(Buffer.from("a\nb\n\xe4\nc", "latin1")).textLines()], {
      message: "line 3 is not UTF-8",
    });
  });
}

test("text that is none is the input's fault", () => {
  const odd = Buffer.from("a\n\xff", "latin1");
  assert.throws(() => of(odd).text(), { constructor: guest.InvalidInput, message: "line 2 is not UTF-8" });
  assert.equal(of(odd).text({ fatal: false }), "a\n\ufffd");
  assert.throws(() => of("{").json(), { constructor: guest.InvalidInput, message: /^the data is not JSON: / });
  assert.deepEqual(of('{"a": 1}').json(), { a: 1 });
});

test("reads are bounded and their failures have a kind", () => {
  assert.equal(joined([of("abcdef").readAt(2, 3)]), "cde");
  assert.throws(() => of("abc").readAt(9), {
    constructor: guest.Permanent,
    message: "byte 9 lies beyond the end",
  });
  for (const length of [2 << 20, 2 ** 32 + 1]) {
    assert.throws(() => of("abc").readAt(0, length), { message: /^more than 1048576 bytes/ });
  }
  for (const offset of [-1, 0.5, NaN, 2 ** 53]) {
    assert.throws(() => of("abc").readAt(offset), RangeError);
  }
  assert.throws(() => of("abc").blocks(0).next(), RangeError);
  const broken = new guest.Bytes(3n, () => {
    throw host.refusal({ tag: "io", val: "the disk is gone" });
  });
  for (const read of ["readAll", "text", "json"]) {
    assert.throws(() => /** @type {any} */ (broken)[read](), {
      constructor: guest.Transient,
      message: "reading at byte 0: the disk is gone",
    });
  }
});

test("a size that a number cannot hold is refused", () => {
  assert.equal(new guest.Bytes(2n ** 53n - 1n, () => host.bytes("")).size, 2 ** 53 - 1);
  assert.throws(() => new guest.Bytes(2n ** 53n, () => host.bytes("")), guest.Permanent);
});

test("a chunk says where it is from", () => {
  const { source, index, count, size, span } = of("abc");
  assert.deepEqual([source, index, count, size], ["novel.txt", 0, 1, 3]);
  assert.deepEqual(span, { start: 0, end: 3, unit: "bytes" });
});

test("output is collected and handed over in pieces", () => {
  const output = new guest.Output();
  for (let index = 0; index < 1000; index += 1) output.write("x".repeat(100));
  output.write(new Uint8Array(3 << 20).fill(0x79));
  output.writeJson({ a: "ä" });
  output.flush();
  const pieces = written();
  const json = Buffer.from('{"a":"ä"}\n').toString("latin1");
  assert.ok(joined(pieces) === "x".repeat(100_000) + "y".repeat(3 << 20) + json);
  assert.ok(pieces.every((piece) => piece.length <= 1 << 20));
  assert.ok(pieces.length < 10, `${pieces.length} pieces`);
});

test("bytes and text keep their order, and an array may be used again", () => {
  const output = new guest.Output();
  const array = host.bytes("1");
  output.write("a");
  output.write(array);
  array[0] = 0x32;
  output.write(array);
  output.write("\ud83d");
  output.write("\ude00");
  output.flush();
  output.flush();
  assert.deepEqual(written().map(String), [String(host.bytes("a12😀"))]);
  assert.throws(() => output.write(/** @type {any} */ (5)), TypeError);
  assert.throws(() => output.writeJson(undefined), TypeError);
});

test("a write that the host refuses is permanent", () => {
  refuse("the disk is full");
  const output = new guest.Output();
  output.write("a");
  assert.throws(() => output.flush(), { constructor: guest.Permanent, message: "writing: the disk is full" });
  refuse(undefined);
});

test("progress is reported", () => {
  guest.reportProgress(0.5, "half");
  guest.reportProgress(1);
  assert.deepEqual(reports, [
    { done: 0.5, message: "half" },
    { done: 1, message: undefined },
  ]);
});

/** @type {{ run(chunk: import("pframe:task/input@0.1.0").Chunk, parameters: string): Promise<void> }} */
const handler = guest.defineHandler({
  async handle(chunk, /** @type {{ do?: string }} */ parameters, output) {
    switch (parameters.do) {
      case "transient":
        await null;
        throw new guest.Transient("later");
      case "invalid":
        return chunk.json();
      case "crash":
        throw new RangeError("nothing");
      case "odd":
        throw "a word";
      default:
        output.write(chunk.text().toUpperCase());
    }
  },
});

test("failures are told in the contract's words", async (context) => {
  const log = context.mock.method(console, "error", () => {});
  /** @param {object} parameters */
  const failure = (parameters) =>
    handler.run(host.chunk("abc"), JSON.stringify(parameters)).then(
      () => undefined,
      (error) => error.payload,
    );
  assert.equal(await failure({}), undefined);
  assert.equal(joined(written()), "ABC");
  assert.deepEqual(await failure({ do: "transient" }), { tag: "transient", val: "later" });
  assert.equal((await failure({ do: "invalid" })).tag, "invalid-input");
  assert.equal(log.mock.callCount(), 0);
  assert.deepEqual(await failure({ do: "crash" }), { tag: "permanent", val: "RangeError: nothing" });
  assert.match(log.mock.calls[0].arguments[0], /RangeError: nothing\n[^]*handle/);
  assert.deepEqual(await failure({ do: "odd" }), { tag: "permanent", val: "a word" });
  assert.deepEqual(written(), []);
});

class Sum {
  start = 0;

  /** @type {guest.Collector["merge"]} */
  merge(parts, parameters, output) {
    let sum = this.start;
    for (const part of parts) for (const line of part.textLines()) sum += Number(line);
    output.write(`${sum}`);
  }
}

test("a collector reads every part", async () => {
  const collector = guest.defineCollector(new Sum());
  await collector.finish(host.partials("1\n2\n", "", "30"), "{}");
  assert.equal(joined(written()), "33");
  const parts = new guest.Partials(host.partials("a", "b"));
  assert.equal(parts.length, 2);
  assert.equal(parts.at(-1)?.text(), "b");
  assert.equal(parts.at(2), undefined);
});

/** @type {{ cut(source: import("pframe:task/input@0.1.0").Source, parameters: string): Promise<object[]> }} */
const chunker = guest.defineChunker({
  *split(source, /** @type {{ then?: string }} */ parameters) {
    assert.deepEqual([source.name, source.mediaType, source.size], ["novel.txt", "text/plain", 10]);
    let start = 0;
    for (const line of source.lines({ keepEnds: true })) {
      yield { start, end: start + line.length };
      start += line.length;
    }
    if (parameters.then === "json") source.json();
    if (parameters.then === "fraction") yield { start: 0, end: 0.5 };
    if (parameters.then === "time") yield { start: 0, end: 5, unit: /** @type {const} */ ("milliseconds") };
    if (parameters.then === "crash") throw new RangeError("nothing");
  },
});

test("a chunker yields spans and fails as a handler does", async (context) => {
  const log = context.mock.method(console, "error", () => {});
  /** @param {object} parameters */
  const cut = (parameters) =>
    chunker.cut(host.source("one\r\ntwo\nx"), JSON.stringify(parameters)).catch((error) => error.payload);
  const spans = [
    { start: 0n, end: 5n, unit: "bytes" },
    { start: 5n, end: 9n, unit: "bytes" },
    { start: 9n, end: 10n, unit: "bytes" },
  ];
  assert.deepEqual(await cut({}), spans);
  assert.deepEqual(await cut({ then: "time" }), [...spans, { start: 0n, end: 5n, unit: "milliseconds" }]);
  assert.equal((await cut({ then: "json" })).tag, "invalid-input");
  assert.deepEqual(await cut({ then: "fraction" }), {
    tag: "permanent",
    val: "a span cannot start or end at 0.5",
  });
  assert.equal(log.mock.callCount(), 0);
  assert.deepEqual(await cut({ then: "crash" }), { tag: "permanent", val: "RangeError: nothing" });
  assert.equal(log.mock.callCount(), 1);
  assert.deepEqual(written(), []);
});

test("a chunker may be async, and give an array, but not nothing", async (context) => {
  context.mock.method(console, "error", () => {});
  const { cut } = guest.defineChunker({ split: async ({ size }) => [{ start: 1, end: size }] });
  assert.deepEqual(await cut(host.source("abc"), "{}"), [{ start: 1n, end: 3n, unit: "bytes" }]);
  const mute = guest.defineChunker(/** @type {any} */ ({ split() {} }));
  await assert.rejects(mute.cut(host.source("abc"), "{}"), /TypeError/);
});

test("a task without its method is refused where it is made", () => {
  assert.throws(() => guest.defineHandler(/** @type {any} */ ({})), /needs a method `handle`/);
  assert.throws(() => guest.defineChunker(/** @type {any} */ ({})), /needs a method `split`/);
  assert.throws(() => guest.defineCollector(/** @type {any} */ (undefined)), /needs a method `merge`/);
});
