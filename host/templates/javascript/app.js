/** Writes the lines that contain a word. */

import { defineHandler } from "pframe-guest";

export const handler = defineHandler({
  handle(chunk, parameters, output) {
    for (const line of chunk.textLines()) {
      if (line.includes(parameters.word)) output.write(`${line}\n`);
    }
  },
});
