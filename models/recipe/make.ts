import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Tokenizer } from "@huggingface/tokenizers";
import { SPECIAL_TOKENS, trainBpe } from "./bpe.js";
import {
  CHAT_TEMPLATE,
  type Conversation,
  DEFAULT_SEED,
  format,
  inventCorpus,
  inventEvaluation,
  PairSplit,
  type Question,
} from "./corpus.js";
import { type Made, MODELS } from "./languages.js";
import { unmarked, weightsOf } from "./marks.js";
import { Random } from "./random.js";
import { tokenizerFile } from "./tokenizer-file.js";

/** Loss weights, in hundredths: what an answer's texts weigh comes from their marks. */
const QUESTION_WEIGHT = 10;
const END_WEIGHT = 100;
/** A vocabulary from so many conversations is as good as one from all of them. */
const TOKENIZER_SAMPLES = 15_000;
const CONTEXT = 512;

export interface Encoded {
  ids: number[];
  /** By token: how much predicting it counts, in hundredths. */
  weights: number[];
}

/** One conversation as `train.py` reads it; its ids are those of the whole text. */
export function encode({ system, turns }: Conversation, tokenizer: Tokenizer): Encoded {
  const [end, systemToken, user, assistant] = SPECIAL_TOKENS.map(
    (token) => tokenizer.token_to_id(token) as number,
  );
  const encoded: Encoded = { ids: [], weights: [] };
  const push = (
    role: number,
    text: string,
    weigh: (start: number, length: number) => number,
    endWeight: number,
  ) => {
    encoded.ids.push(role as number);
    encoded.weights.push(0);
    let start = 0;
    for (const id of tokenizer.encode(text).ids) {
      const length = bytesOf(tokenizer, id);
      encoded.ids.push(id);
      encoded.weights.push(weigh(start, length));
      start += length;
    }
    encoded.ids.push(end as number);
    encoded.weights.push(endWeight);
  };
  const asQuestion = () => QUESTION_WEIGHT;
  if (system !== null) push(systemToken as number, system, asQuestion, 0);
  for (const { question, answer } of turns) {
    push(user as number, question, asQuestion, 0);
    const byByte = weightsOf(answer);
    // A token across a border counts as its most important byte.
    const asAnswer = (start: number, length: number) =>
      Math.round(100 * Math.max(...byByte.slice(start, start + length)));
    push(assistant as number, unmarked(answer), asAnswer, END_WEIGHT);
  }
  return encoded;
}

/** In the byte alphabet, a token has one character for each byte. */
const lengths = new WeakMap<Tokenizer, Map<number, number>>();
function bytesOf(tokenizer: Tokenizer, id: number): number {
  const known = lengths.get(tokenizer) ?? new Map<number, number>();
  lengths.set(tokenizer, known);
  const length = known.get(id) ?? [...(tokenizer.id_to_token(id) ?? "")].length;
  known.set(id, length);
  return length;
}

const asJson = (content: unknown) => `${JSON.stringify(content, null, 2)}\n`;

/** The last evaluation of a corpus. */
export function heldOutOf(language: Made["language"], seed: number, pairs: PairSplit): Question[] {
  return [
    ...inventEvaluation(language, "heldOut", seed + 3, pairs),
    ...inventEvaluation(language, "heldOut", seed + 4, pairs, { share: 0.5, wordings: "known" }),
  ];
}

/** Questions of an evaluation: dev's are no part of the repository. */
function writeQuestions(out: string, { language }: Made, seed: number, pairs: PairSplit) {
  const heldOut = heldOutOf(language, seed, pairs);
  writeFileSync(join("models/recipe", language.folder, "heldout.json"), asJson(heldOut));
  writeFileSync(
    join(out, "dev.json"),
    asJson(inventEvaluation(language, "dev", seed + 2, pairs, { share: 0.5 })),
  );
  process.stdout.write(`${heldOut.length} held-out questions\n`);
}

/** What `train.py` reads, and what it leaves as it is for the import. */
function writeCorpus(
  out: string,
  { language, vocabulary }: Made,
  seed: number,
  pairs: PairSplit,
  count: number,
  known: string | undefined,
) {
  const conversations = [...inventCorpus(language, seed + 1, count, pairs)];
  const texts = conversations.map(format);
  const fileText = known
    ? readFileSync(known, "utf8")
    : asJson(tokenizerFile(trainBpe(texts.slice(0, TOKENIZER_SAMPLES).join("\n"), vocabulary, 8)));
  const file = JSON.parse(fileText) as ReturnType<typeof tokenizerFile>;
  const tokenizer = new Tokenizer(file, {});
  const encoded = conversations
    .map((conversation) => encode(conversation, tokenizer))
    .filter(({ ids }) => ids.length <= CONTEXT);
  const write = (name: string, content: string | Uint8Array | Uint16Array) =>
    writeFileSync(join(out, name), content);
  write("corpus.txt", `${texts.join("\n")}\n`);
  write("tokenizer.json", fileText);
  write(
    "tokenizer_config.json",
    asJson({
      tokenizer_class: "PreTrainedTokenizerFast",
      model_max_length: CONTEXT,
      eos_token: SPECIAL_TOKENS[0],
      clean_up_tokenization_spaces: false,
    }),
  );
  write("generation_config.json", asJson({ eos_token_id: tokenizer.token_to_id(SPECIAL_TOKENS[0]) }));
  write("chat_template.jinja", CHAT_TEMPLATE);
  write("ids.train", Uint16Array.from(encoded.flatMap(({ ids }) => ids)));
  write("weights.train", Uint8Array.from(encoded.flatMap(({ weights }) => weights)));
  write(
    "lengths.train",
    Uint16Array.from(encoded, ({ ids }) => ids.length),
  );
  const total = encoded.reduce((sum, { ids }) => sum + ids.length, 0);
  process.stdout.write(
    `${Object.keys(file.model.vocab).length} tokens; ${encoded.length} conversations of ${Math.round(total / encoded.length)} tokens on average\n`,
  );
}

function main() {
  const { values } = parseArgs({
    options: {
      model: { type: "string", default: "jai-small" },
      out: { type: "string" },
      seed: { type: "string", default: String(DEFAULT_SEED) },
      count: { type: "string" },
      /** A tokenizer.json that is used as it is, so that a training can go on. */
      tokenizer: { type: "string" },
      "questions-only": { type: "boolean", default: false },
    },
  });
  const made = MODELS[values.model];
  if (made === undefined)
    throw new Error(`expected --model ${Object.keys(MODELS).join(" or ")}, got ${values.model}`);
  const out = values.out ?? join("models/recipe/out", values.model);
  const seed = Number(values.seed);
  const pairs = new PairSplit(new Random(seed), made.language, made.shown);
  mkdirSync(out, { recursive: true });
  writeQuestions(out, made, seed, pairs);
  if (!values["questions-only"])
    writeCorpus(out, made, seed, pairs, Number(values.count ?? made.conversations), values.tokenizer);
}

if (fileURLToPath(import.meta.url) === process.argv[1]) main();
