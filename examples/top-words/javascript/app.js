/** The most frequent words of a text. */

import { defineCollector, defineHandler } from "pframe-guest";

export const handler = defineHandler({
  handle(chunk, parameters, output) {
    const words = new Map();
    for (const line of chunk.textLines({ fatal: false })) {
      // First the words, then small letters: the Kelvin sign would become a `k`.
      line.match(/[A-Za-z]+/g)?.forEach((word) => add(words, word.toLowerCase(), 1));
    }
    write(words, output);
  },
});

export const collector = defineCollector({
  merge(parts, parameters, output) {
    write(total(parts), output);
  },

  conclude(parts, { top = 10 }, output) {
    const ranked = [...total(parts)].sort(
      ([word, count], [other, more]) => more - count || (word < other ? -1 : 1),
    );
    write(ranked.slice(0, top), output);
  },
});

function total(parts) {
  const words = new Map();
  for (const part of parts) {
    for (const line of part.textLines()) {
      const [count, word] = line.split(" ");
      add(words, word, Number(count));
    }
  }
  return words;
}

function add(words, word, count) {
  words.set(word, (words.get(word) ?? 0) + count);
}

function write(words, output) {
  for (const [word, count] of words) output.write(`${count} ${word}\n`);
}
