// The reader's entry: a thread that tokenizes and renders long texts one at a time, so that no stream waits for them.
import { parentPort, workerData } from "node:worker_threads";
import { ModelError } from "../models/files/error.js";
import { readModelFolder } from "../models/folder.js";
import { spellings } from "../models/tokenizer/spellings.js";
import { UnknownCharacterError } from "../models/tokenizer/unknown-character.js";
import type { FromReader, TextThreadSetup, ToReader } from "./protocol.js";

const { tokenizer, chatTemplate } = readModelFolder((workerData as TextThreadSetup).modelDir);

parentPort!.on("message", (work: ToReader) => {
  parentPort!.postMessage({ type: "begun" } satisfies FromReader);
  const answer = answerTo(work);
  const moved = answer.type === "encoded" ? answer.ids.map(({ buffer }) => buffer as ArrayBuffer) : [];
  parentPort!.postMessage(answer, moved);
});

function answerTo(work: ToReader): FromReader {
  switch (work.type) {
    case "encode":
      return encode(work.texts, work.adds);
    case "decode":
      return { type: "decoded", text: tokenizer.decode(work.ids) };
    case "spell":
      return { type: "spelled", texts: spellings(tokenizer, work.ids) };
    case "render":
      try {
        return { type: "rendered", text: chatTemplate!.render(work.messages, { addGenerationPrompt: true }) };
      } catch (error) {
        // Any other error ends the thread.
        if (!(error instanceof ModelError)) throw error;
        return { type: "refused", reason: error.message };
      }
  }
}

function encode(texts: readonly string[], adds: boolean): FromReader {
  try {
    return { type: "encoded", ids: texts.map((text) => Int32Array.from(tokenizer.encode(text, adds))) };
  } catch (error) {
    if (!(error instanceof UnknownCharacterError)) throw error;
    return { type: "refused", reason: error.message };
  }
}
