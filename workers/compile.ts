// The compiler's entry: a thread that checks forms one at a time, so that neither the streams nor the token loop wait.
import { constants, getPriority, setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { readModelFolder } from "../models/folder.js";
import { Compiler } from "./grammar/compiler.js";
import { GrammarError } from "./grammar/nodes/error.js";
import type { FromCompiler, TextThreadSetup, ToCompiler } from "./protocol.js";

/** Gives the thread a third of the usual share of a busy core. */
const NICENESS = 5;

// Where all cores are busy the streams come first. Elsewhere this would set the priority of the whole process. Counted from
// the process's own: to go below that is refused to most users.
if (process.platform === "linux")
  setPriority(Math.min(getPriority() + NICENESS, constants.priority.PRIORITY_LOW));

const { tokenizer, config } = readModelFolder((workerData as TextThreadSetup).modelDir);
const compiler = new Compiler(tokenizer, config.vocab_size);

parentPort!.on("message", (source: ToCompiler) => {
  tell({ type: "begun" });
  try {
    tell({ type: "compiled", numbers: compiler.compile(source) });
  } catch (error) {
    // Any other error ends the thread.
    if (!(error instanceof GrammarError)) throw error;
    tell({ type: "refused", reason: error.message });
  }
});

function tell(message: FromCompiler): void {
  parentPort!.postMessage(message);
}
