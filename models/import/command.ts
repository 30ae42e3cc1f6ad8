import { parseArgs } from "node:util";
import { importCheckpoint } from "./index.js";

export const IMPORT_USAGE =
  "usage: jai import CKPT --tokenizer FILE --out DIR [--precision int8|fp32] [--heads N] [--name NAME]";

const BAR_WIDTH = 30;

/**
 * `jai import`.
 * @param path makes a path of what the user typed
 * @returns the exit status: 0, 1 with one line on standard error, or 2 for wrong usage
 */
export async function importCommand(
  args: readonly string[],
  path: (given: string) => string,
): Promise<number> {
  const options = parse(args);
  if (typeof options === "string") {
    process.stderr.write(`jai import: ${options}\n${IMPORT_USAGE}\n`);
    return 2;
  }
  const { checkpoint, tokenizer, out, ...rest } = options;
  const started = performance.now();
  try {
    const { config, difference, range, trimmed } = await importCheckpoint({
      checkpoint: path(checkpoint),
      tokenizer: path(tokenizer),
      out: path(out),
      ...rest,
      ...(process.stderr.isTTY && { onProgress: drawProgress }),
    });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const lines = [
      `${config.name}: ${config.precision}, ${config.n_layer} layers, ${config.n_head} heads, ${config.n_embd} wide, context ${config.n_positions}, vocabulary ${config.vocab_size}`,
      ...(trimmed > 0 ? [`left out ${trimmed} rows of padding, for which the tokenizer has no token`] : []),
      `verified: logits differ from the checkpoint's by at most ${difference.toExponential(2)}, in a range of ${range.toFixed(2)}`,
      `written to ${out} in ${seconds} s`,
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
    return 0;
  } catch (error) {
    // Also what the system says of a full disk, or the runtime of a graph that it can't load.
    process.stderr.write(`jai import: ${(error as Error).message.split("\n")[0]}\n`);
    return 1;
  }
}

function parse(args: readonly string[]) {
  let given: ReturnType<typeof read>;
  try {
    given = read(args);
  } catch (error) {
    return (error as Error).message.split("\n")[0]!;
  }
  const [checkpoint, ...others] = given.positionals;
  const { tokenizer, out, precision, heads, name } = given.values;
  if (checkpoint === undefined) return "expected a checkpoint, got none";
  if (others.length > 0) return `expected one checkpoint, got ${given.positionals.length}`;
  if (tokenizer === undefined) return "expected --tokenizer FILE, got none";
  if (out === undefined) return "expected --out DIR, got none";
  if (precision !== "int8" && precision !== "fp32")
    return `--precision: expected int8 or fp32, got "${precision}"`;
  if (heads !== undefined && !/^[1-9]\d{0,4}$/.test(heads))
    return `--heads: expected a positive integer, got "${heads}"`;
  if (name === "") return "--name: expected a name, got an empty one";
  return {
    checkpoint,
    tokenizer,
    out,
    precision: precision as "int8" | "fp32",
    ...(heads !== undefined && { heads: Number(heads) }),
    ...(name !== undefined && { name }),
  };
}

function read(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      tokenizer: { type: "string" },
      out: { type: "string" },
      precision: { type: "string", default: "int8" },
      heads: { type: "string" },
      name: { type: "string" },
    },
  });
}

function drawProgress(written: number, total: number): void {
  const share = written / total;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = "#".repeat(filled) + "-".repeat(BAR_WIDTH - filled);
  process.stderr.write(`\rimporting [${bar}] ${Math.round(share * 100)} %${share === 1 ? "\n" : ""}`);
}
