/** Where the paragraphs of a text lie, and how many lines each has. */

import { defineChunker, defineHandler } from "pframe-guest";

export const handler = defineHandler({
  handle(chunk, parameters, output) {
    const { start, end } = chunk.span;
    output.write(`${start}..${end} ${[...chunk.lines()].length}\n`);
  },
});

export const chunker = defineChunker({
  // Every paragraph is a chunk; the blank lines between are in none.
  *split(source) {
    let [start, offset] = [0, 0];
    for (const line of source.lines({ keepEnds: true })) {
      const end = offset + line.length;
      if (isBlank(line)) {
        if (offset > start) yield { start, end: offset };
        start = end;
      }
      offset = end;
    }
    if (offset > start) yield { start, end: offset };
  },
});

function isBlank(line) {
  const [first, second] = line;
  return first === 0x0a || (first === 0x0d && second === 0x0a);
}
