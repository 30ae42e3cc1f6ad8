import { ImportError } from "../checkpoint/error.js";
import { rankedFields } from "./byte-level.js";
import type { Converted } from "./converted.js";

const LINE = /^([A-Za-z0-9+/]+={0,2}) (\d{1,8})$/;

/** Whether the text is a rank file of tiktoken: lines of a token in base64 and its rank. */
export function isRanks(text: string): boolean {
  const [first = ""] = text.split("\n", 1);
  return LINE.test(first.trimEnd());
}

/** GPT-2's pattern, since the file has none; `<|endoftext|>` gets the next id, as in GPT-2, and is found in
 * no text, as by `encode_ordinary`. @throws ImportError */
export function convertRanks(file: string, text: string): Converted {
  const ranks: [Uint8Array, number][] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const match = LINE.exec(line.trimEnd());
    if (match === null)
      throw new ImportError(
        file,
        `expected a token in base64 and its rank in line ${index + 1}, got another line`,
      );
    ranks.push([Buffer.from(match[1]!, "base64"), Number(match[2])]);
  }
  const next = ranks.reduce((most, [, rank]) => Math.max(most, rank), -1) + 1;
  const special = new Map([["<|endoftext|>", next]]);
  return {
    kind: "tiktoken",
    tokenizerJson: rankedFields(file, ranks, { special, findsSpecial: false }),
    bos: null,
    eos: ["<|endoftext|>"],
  };
}
