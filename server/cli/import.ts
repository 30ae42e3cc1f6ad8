import { ACTIVATIONS, type Activation } from "../../models/architecture.js";
import { builtInNames } from "../../models/template/built-in.js";
import {
  type Exactness,
  type ImportOptions,
  type ImportResult,
  importCheckpoint,
  type Quality,
} from "../library/import.js";
import { readArgs, UsageError, unexpected } from "../settings/args.js";
import { type Flags, usageOf } from "./command.js";
import { progressTo } from "./import/progress.js";
import { isNpmScript, isNpx } from "./npm.js";
import { shellQuoted } from "./terminal/shell.js";

export const flags = {
  tokenizer: {
    type: "string",
    value: "FILE",
    description: "its tokenizer, a file of any known format or a folder, or gpt2; default: the one beside it",
  },
  out: { type: "string", value: "DIR", description: "the model folder to make" },
  precision: { type: "string", default: "int8", value: "int8|fp32", description: "default int8" },
  heads: { type: "string", value: "N", description: "attention heads, for checkpoints that don't say" },
  activation: {
    type: "string",
    value: "NAME",
    description: `the MLP's activation, for checkpoints that don't say: ${ACTIVATIONS.join(", ")}`,
  },
  "chat-template": {
    type: "string",
    value: "FILE|NAME",
    description: `a Jinja chat template: ${builtInNames.join(", ")} or a file; default: the one beside the tokenizer`,
  },
  name: {
    type: "string",
    value: "NAME",
    description: "the model's name in /health; default: the folder's name",
  },
} as const satisfies Flags;

export const argument = "FILE";

export const usage = usageOf("import PATH --out DIR [FLAGS]", flags, {
  rows: [
    ["PATH", "a checkpoint of torch.save, a safetensors file, llama2.c's .bin, or a folder that holds one;"],
    [
      "",
      "or hf:owner/name[@revision][/FILE], a model on Hugging Face's hub (HF_TOKEN, HF_ENDPOINT, HF_HOME)",
    ],
  ],
});

const TEMPLATES: Record<ImportResult["chatTemplate"], string> = {
  given: "chat template: the one of --chat-template",
  found: "chat template: the one beside the tokenizer",
  default:
    "chat template: [QUESTION]…[/QUESTION] [ANSWER]…; if the model was trained with another, name it with --chat-template",
  none: "chat template: none, so /chat and /v1/chat/completions refuse; if the model was trained with one, import it again with --chat-template",
};

/** Makes a model folder. @throws an error with a one-line message */
export async function run(args: string[]): Promise<void> {
  const options = parse(args);
  const started = performance.now();
  const { config, difference, range, quality, exactness, trimmed, assumed, chatTemplate, plainMarkers } =
    await importCheckpoint({ ...options, onProgress: progressTo(process.stderr) });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const lines = [
    `${config.name}: ${config.precision}, ${config.n_layer} layers, ${config.n_head} heads, ${config.n_embd} wide, context ${config.n_positions}, vocabulary ${config.vocab_size}`,
    ...(trimmed > 0 ? [`left out ${trimmed} rows of padding, for which the tokenizer has no token`] : []),
    ...(assumed.length > 0
      ? [`assumed: ${assumed.join(", ")}: the checkpoint doesn't say, and its codebase has these by default`]
      : []),
    `verified: float32 logits differ from the checkpoint's by at most ${difference.toExponential(2)}, in a range of ${range.toFixed(2)}`,
    ...(quality ? describeQuality(quality) : []),
    ...(exactness ? describeExactness(exactness) : []),
    TEMPLATES[chatTemplate],
    ...(plainMarkers.length > 0
      ? [`no tokens of the tokenizer, so plain text in the template: ${plainMarkers.join(" ")}`]
      : []),
    `written to ${options.out} in ${seconds} s`,
    `serve it: ${isNpmScript ? "npm run jai --" : isNpx ? "npx jai" : "jai"} serve --model ${shellQuoted(options.out)}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function parse(args: string[]): ImportOptions {
  const given = readArgs({ args, allowPositionals: true, options: flags });
  const [checkpoint, ...others] = given.positionals;
  const { tokenizer, out, precision, heads, activation, name } = given.values;
  const { "chat-template": chatTemplate } = given.values;
  if (checkpoint === undefined) throw new UsageError("expected a checkpoint, got none");
  if (others.length > 0) throw new UsageError(`expected one checkpoint, got ${given.positionals.length}`);
  if (out === undefined) throw new UsageError("expected --out DIR, got none");
  if (precision !== "int8" && precision !== "fp32") throw unexpected("precision", "int8 or fp32", precision);
  if (heads !== undefined && !/^[1-9]\d{0,4}$/.test(heads))
    throw unexpected("heads", "a positive integer", heads);
  if (activation !== undefined && !isActivation(activation))
    throw unexpected("activation", ACTIVATIONS.join(" or "), activation);
  if (chatTemplate === "") throw new UsageError("--chat-template: expected a file or a name, got nothing");
  if (name === "") throw new UsageError("--name: expected a name, got an empty one");
  return {
    checkpoint,
    out,
    precision,
    ...(tokenizer !== undefined && { tokenizer }),
    ...(heads !== undefined && { heads: Number(heads) }),
    ...(activation !== undefined && { activation }),
    ...(chatTemplate !== undefined && { chatTemplate }),
    ...(name !== undefined && { name }),
  };
}

const isActivation = (text: string): text is Activation => (ACTIVATIONS as readonly string[]).includes(text);

/** One line on how much int8 changes the model's predictions, with advice if that is a lot. */
function describeQuality({ kl, sameTop, verdict }: Quality): string[] {
  const figures = `int8: KL ${kl.toPrecision(2)}, ${(100 * sameTop).toFixed(1)} % same top token: ${verdict}`;
  return [verdict === "poor" ? `${figures}; --precision fp32 keeps the model's own numbers` : figures];
}

/** One line on whether a token's numbers depend on how its text is cut into chunks and batches. */
function describeExactness({ cuts, logits, differing }: Exactness): string[] {
  const figures = `two texts cut in up to ${cuts} ways: ${differing} of ${logits} logits differ`;
  return [
    differing === 0
      ? `exact: ${figures}`
      : `not exact on this machine: ${figures}, so a server on it cuts all prompts alike and drafts nothing`,
  ];
}
