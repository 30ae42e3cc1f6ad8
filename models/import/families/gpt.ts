import { type Activation, GPT } from "../../architecture.js";
import type { Checkpoint } from "../checkpoint/checkpoint.js";
import { describe } from "../checkpoint/pickle.js";
import { type Config, findStateDict } from "../checkpoint/state-dict.js";
import type { Tensor } from "../checkpoint/tensor.js";
import type { LayerWeights, Linear, ModelWeights, Norm, Sizes } from "../weights.js";
import { LIMITS, TensorReader, type Weight } from "./tensor-reader.js";

export interface ReadOptions {
  /** Attention heads, where the checkpoint doesn't say; where it does, the two must agree. */
  heads?: number | undefined;
  /** The activation, where the tensors' names leave it open. */
  activation?: Activation | undefined;
}

interface OuterNames {
  tokens: string;
  positions: string;
  blocks: string;
  finalNorm: string;
  head: string;
  /** The head may be left out, and is the token embedding then. */
  mayTie: boolean;
}

type InnerNames = Record<Exclude<keyof LayerWeights, "qNorm" | "kNorm">, string>;

const OUTER: readonly OuterNames[] = [
  {
    tokens: "tok_emb",
    positions: "pos_emb",
    blocks: "blocks",
    finalNorm: "ln_f",
    head: "head",
    mayTie: false,
  },
  {
    tokens: "transformer.wte",
    positions: "transformer.wpe",
    blocks: "transformer.h",
    finalNorm: "transformer.ln_f",
    head: "lm_head",
    mayTie: true,
  },
];

const INNER: readonly InnerNames[] = [
  { ln1: "ln1", qkv: "attn.qkv", proj: "attn.proj", ln2: "ln2", fc: "mlp.fc", mlpProj: "mlp.proj" },
  {
    ln1: "ln_1",
    qkv: "attn.c_attn",
    proj: "attn.c_proj",
    ln2: "ln_2",
    fc: "mlp.c_fc",
    mlpProj: "mlp.c_proj",
  },
];

const EPSILON = 1e-5;

/**
 * Finds a GPT's weights in a checkpoint, under the names of the training script, of the server document or of nanoGPT, which
 * minGPT and build-nanogpt share. Every tensor is accounted for and every shape checked, without reading a tensor.
 * @throws ImportError that names the tensor that is missing, extra or of another shape, or the size in doubt.
 */
export function readGpt(state: GptState, options: ReadOptions = {}): Omit<ModelWeights, "close"> {
  return new WeightsReader(state).read(options);
}

/** Whether some of these are a GPT's tensors. */
export const hasGptNames = (names: Iterable<string>): boolean =>
  [...names].some((name) =>
    OUTER.some(({ tokens, blocks }) => name.startsWith(`${tokens}.`) || name.startsWith(`${blocks}.`)),
  );

/** The same of a file of `torch.save`. The weights own it: it is closed with them, and at once if this throws. */
export async function readWeights(checkpoint: Checkpoint, options: ReadOptions = {}): Promise<ModelWeights> {
  try {
    const read = readGpt({ file: checkpoint.file, ...findStateDict(checkpoint) }, options);
    return { ...read, close: () => checkpoint.close() };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

/** A GPT's tensors and settings. */
export interface GptState {
  file: string;
  tensors: ReadonlyMap<string, Tensor>;
  config: Config | undefined;
}

class WeightsReader {
  readonly #reader: TensorReader;
  /** The names of all tensors. */
  readonly #names: readonly string[];
  readonly #config: Config | undefined;
  readonly #outer: OuterNames;
  readonly #inner: InnerNames;
  readonly #hasBias: boolean;

  constructor({ file, tensors, config }: GptState) {
    this.#reader = new TensorReader(file, { tensors });
    this.#names = [...tensors.keys()];
    this.#config = config;
    this.#outer = this.#mostUsed(OUTER, (names) => [names.tokens, names.positions, names.blocks]);
    this.#inner = this.#mostUsed(INNER, (names) =>
      Object.values(names).map((name) => `${this.#outer.blocks}.*.${name}`),
    );
    this.#hasBias = this.#findBias();
  }

  read({ heads, activation }: ReadOptions): Omit<ModelWeights, "close"> {
    const sizes = this.#sizes(heads);
    const { vocab, context, width } = sizes;
    const tokens = this.#reader.take(`${this.#outer.tokens}.weight`, vocab, width);
    const positions = this.#reader.take(`${this.#outer.positions}.weight`, context, width);
    const layers = Array.from({ length: sizes.layers }, (_, index) => this.#layer(index, sizes));
    const finalNorm = this.#norm(this.#outer.finalNorm, width);
    const head = this.#head(tokens, vocab, width);
    this.#reader.assertNothingLeft();
    return {
      sizes,
      architecture: { ...GPT, activation: this.#activation(activation) },
      epsilon: EPSILON,
      tokens,
      positions,
      layers,
      finalNorm,
      head: { weight: head, bias: null },
      tied: head === tokens,
    };
  }

  /** Codebases with another GELU use nanoGPT's tensor names too. Their configurations tell them apart. */
  #activation(asked: Activation | undefined): Activation {
    const told = this.#outer.mayTie ? this.#toldActivation() : "gelu";
    if (told === undefined && asked === undefined)
      throw this.#reader.error(
        "the checkpoint doesn't say which GELU the model has; pass --activation gelu (exact, as nanoGPT has it) or --activation gelu_tanh (as minGPT and build-nanogpt have it)",
      );
    if (told !== undefined && asked !== undefined && told !== asked)
      throw this.#reader.error(
        `--activation is ${asked}, but the checkpoint is of a codebase that has ${told}`,
      );
    return told ?? asked!;
  }

  #toldActivation(): Activation | undefined {
    if (this.#config === undefined) return undefined;
    const { name, values } = this.#config;
    // Only nanoGPT has biases as an option; minGPT names each of its dropouts.
    if (name === "model_args" || values.has("bias")) return "gelu";
    const isMinGpt = values.has("embd_pdrop");
    const isBuildNanogpt = values.has("n_embd") && !values.has("dropout");
    return isMinGpt || isBuildNanogpt ? "gelu_tanh" : undefined;
  }

  #sizes(headsOption: number | undefined): Sizes {
    const { tokens, positions, blocks } = this.#outer;
    const fc = `${blocks}.0.${this.#inner.fc}.weight`;
    const [vocab, width] = this.#reader.matrix(`${tokens}.weight`, LIMITS.vocab, LIMITS.width);
    const [context] = this.#reader.matrix(`${positions}.weight`, LIMITS.context, LIMITS.width);
    const layers = this.#reader.layers(`${blocks}.`);
    const [hidden] = this.#reader.matrix(fc, LIMITS.hidden, LIMITS.width);
    this.#assertConfig("vocab_size", vocab, `${tokens}.weight`);
    this.#assertConfig("n_embd", width, `${tokens}.weight`);
    this.#assertConfig("block_size", context, `${positions}.weight`);
    this.#assertConfig("n_layer", layers, `what lies under "${blocks}"`);
    const heads = this.#heads(headsOption, width);
    return { vocab, context, layers, heads, kvHeads: heads, headDim: width / heads, width, hidden };
  }

  #heads(option: number | undefined, width: number): number {
    const configured = this.#configSize("n_head");
    if (option !== undefined && configured !== undefined && option !== configured)
      throw this.#reader.error(
        `--heads is ${option}, but the checkpoint's ${this.#config?.name} says n_head = ${configured}`,
      );
    const heads = configured ?? option;
    if (heads === undefined)
      throw this.#reader.error(
        "the checkpoint doesn't say how many attention heads the model has; pass --heads N (n_head in its training script)",
      );
    if (!Number.isSafeInteger(heads) || heads < 1 || width % heads !== 0)
      throw this.#reader.error(`expected a number of heads that divides the width ${width}, got ${heads}`);
    return heads;
  }

  #layer(index: number, { width, hidden, context }: Sizes): LayerWeights {
    const block = `${this.#outer.blocks}.${index}`;
    const names = this.#inner;
    // The causal mask's shape tells it from a bias of that name.
    this.#reader.drop(`${block}.attn.bias`, [1, 1, context, context]);
    this.#reader.drop(`${block}.attn.masked_bias`, []);
    return {
      ln1: this.#norm(`${block}.${names.ln1}`, width),
      qkv: this.#linear(`${block}.${names.qkv}`, 3 * width, width),
      qNorm: null,
      kNorm: null,
      proj: this.#linear(`${block}.${names.proj}`, width, width),
      ln2: this.#norm(`${block}.${names.ln2}`, width),
      fc: this.#linear(`${block}.${names.fc}`, hidden, width),
      mlpProj: this.#linear(`${block}.${names.mlpProj}`, width, hidden),
    };
  }

  #norm(name: string, width: number): Norm {
    return { weight: this.#reader.take(`${name}.weight`, width), bias: this.#bias(name, width) };
  }

  #linear(name: string, out: number, width: number): Linear {
    return { weight: this.#reader.take(`${name}.weight`, out, width), bias: this.#bias(name, out) };
  }

  #bias(name: string, size: number): Weight | null {
    return this.#hasBias ? this.#reader.take(`${name}.bias`, size) : null;
  }

  #head(tokens: Weight, vocab: number, width: number): Weight {
    const name = `${this.#outer.head}.weight`;
    if (this.#outer.mayTie && !this.#reader.has(name)) return tokens;
    const head = this.#reader.take(name, vocab, width);
    return head.tensor.sameAs(tokens.tensor) ? tokens : head;
  }

  /** All biases or none: with only some, a missing one could not be told from one that the model never had. */
  #findBias(): boolean {
    const { blocks, finalNorm } = this.#outer;
    const parts = Object.values(this.#inner);
    const isBias = (name: string) =>
      name === `${finalNorm}.bias` ||
      (name.startsWith(`${blocks}.`) && parts.some((part) => name.endsWith(`.${part}.bias`)));
    const found = this.#names.find(isBias);
    const configured = this.#config?.values.get("bias");
    if (typeof configured === "boolean" && configured !== (found !== undefined))
      throw this.#reader.error(
        `the checkpoint's ${this.#config?.name} says bias = ${configured ? "True" : "False"}, but ${
          found === undefined ? "no bias is there" : `"${found}" is there`
        }`,
      );
    return found !== undefined;
  }

  #assertConfig(key: string, actual: number, source: string): void {
    const configured = this.#configSize(key);
    if (configured !== undefined && configured !== actual)
      throw this.#reader.error(
        `the checkpoint's ${this.#config?.name} says ${key} = ${configured}, but it is ${actual} in ${source}`,
      );
  }

  #configSize(key: string): number | undefined {
    const value = this.#config?.values.get(key) ?? undefined;
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1)
      throw this.#reader.error(
        `expected ${key} in the checkpoint's ${this.#config?.name} to be a whole number from 1, got ${describe(value)}`,
      );
    return value;
  }

  /** The dialect whose names most tensors have; `*` stands for a layer's index. */
  #mostUsed<T>(dialects: readonly T[], prefixes: (dialect: T) => string[]): T {
    const keys = this.#names.map((name) => `${name.replace(/\.\d+\./, ".*.")}.`);
    const counts = dialects.map(
      (dialect) =>
        keys.filter((key) => prefixes(dialect).some((prefix) => key.startsWith(`${prefix}.`))).length,
    );
    const most = Math.max(...counts);
    if (most > 0) return dialects[counts.indexOf(most)]!;
    const expected = dialects.map((dialect) => `"${prefixes(dialect)[0]}"`).join(" or ");
    const got = this.#names.slice(0, 3).map((name) => `"${name}"`);
    throw this.#reader.error(`expected a GPT with tensors such as ${expected}, got ${got.join(", ")}, …`);
  }
}
