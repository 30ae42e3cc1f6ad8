import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Tokenizer } from "@huggingface/tokenizers";
import { SPECIAL_TOKENS, trainBpe } from "./bpe.js";
import { type HeldOutQuestion, promptOf } from "./corpus.js";
import { tokenizerFile } from "./tokenizer-file.js";

/**
 * The input of train.py: the ids of all samples one after another as little-endian uint16. A sample ends after its
 * `[EOS]` (id 0) and the line break that follows.
 */
export function encodeSamples(samples: readonly string[], tokenizer: Tokenizer): Uint16Array {
  return Uint16Array.from(samples.flatMap((sample) => tokenizer.encode(`${sample}\n`).ids));
}

/** The held-out questions, and a few to read, as the ids of what the model sees: for `train.py --evaluate`. */
function prompts(heldOutFile: string, tokenizer: Tokenizer) {
  const heldOut = JSON.parse(readFileSync(heldOutFile, "utf8")) as HeldOutQuestion[];
  const shown = [
    "서울에서 React 개발자 채용 있어?",
    "판교에서 백엔드 개발자 채용하는 곳 알려줘",
    "간호사 채용 어디서 해?",
    "제주에서 뭐 뽑아?",
    "너 누구야?",
    "이름이 뭐야?",
    "뭐 할 수 있어?",
    "안녕?",
    "내일 비 와?",
  ];
  return [...heldOut, ...shown.map((question) => ({ question }))].map((entry) => ({
    ...entry,
    ids: tokenizer.encode(promptOf(entry.question)).ids,
  }));
}

if (fileURLToPath(import.meta.url) === process.argv[1]) {
  const { values } = parseArgs({
    options: {
      "held-out": { type: "string", default: "models/recipe/heldout.json" },
      out: { type: "string", default: "models/recipe/out" },
      size: { type: "string", default: "3072" },
    },
  });
  const corpus = readFileSync(join(values.out, "corpus.txt"), "utf8");
  const file = tokenizerFile(trainBpe(corpus, Number(values.size), 8));
  const tokenizer = new Tokenizer(file, {});
  const samples = corpus.split("[EOS]\n").slice(0, -1);
  const ids = encodeSamples(
    samples.map((sample) => `${sample}${SPECIAL_TOKENS[0]}`),
    tokenizer,
  );
  writeFileSync(join(values.out, "tokenizer.json"), `${JSON.stringify(file, null, 1)}\n`);
  writeFileSync(join(values.out, "train.bin"), ids);
  writeFileSync(join(values.out, "prompts.json"), JSON.stringify(prompts(values["held-out"], tokenizer)));
  process.stdout.write(
    `${Object.keys(file.model.vocab).length} tokens; ${samples.length} samples of ${Math.round(ids.length / samples.length)} tokens on average\n`,
  );
}
