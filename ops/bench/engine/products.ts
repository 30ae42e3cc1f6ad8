import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelConfig } from "../../../models/config.js";
import {
  type Attribute,
  encodeNode,
  type Initializer,
  type ValueInfo,
  writeModel,
} from "../../../models/import/graph/onnx.js";

const OPSET = 20;

export interface ProductsRun {
  /** Rows that go through the layers: the tokens of a step. */
  rows: number;
  /** Rows that go through the output head. */
  outputs: number;
  /** Positions in each row's cache; 0 leaves attention out. */
  depth: number;
}

/**
 * The ceiling of the arithmetic: a session that holds a model's matrix products and nothing else, in its precision and by
 * the kernel that its graph uses, from inputs that are quantized already. Of each product one number is returned.
 */
export class Products {
  readonly #sessions: { weights: InferenceSession; attention: InferenceSession };
  readonly #config: ModelConfig;

  private constructor(weights: InferenceSession, attention: InferenceSession, config: ModelConfig) {
    this.#sessions = { weights, attention };
    this.#config = config;
  }

  static async open(config: ModelConfig, threads: number): Promise<Products> {
    const folder = await mkdtemp(join(tmpdir(), "jai-products-"));
    try {
      const open = async (attention: boolean) => {
        const file = join(folder, `${attention}.onnx`);
        await writeGraph(file, config, attention);
        return InferenceSession.create(file, {
          executionProviders: ["cpu"],
          intraOpNumThreads: threads,
          interOpNumThreads: 1,
          logSeverityLevel: 3,
        });
      };
      return new Products(await open(false), await open(true), config);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  /** Feeds of one kind of run, made once: what is timed afterwards is `session.run` alone. Each call takes milliseconds. */
  prepare({ rows, outputs, depth }: ProductsRun): () => Promise<number> {
    const { n_embd: width, n_head: heads, n_layer: layers, precision } = this.#config;
    const activations = (count: number, size: number) =>
      precision === "int8"
        ? new Tensor("uint8", new Uint8Array(count * size).fill(131), [count, size])
        : new Tensor("float32", new Float32Array(count * size).fill(0.1), [count, size]);
    const feeds: Record<string, Tensor> = {
      rows: activations(rows, width),
      inner: activations(rows, 4 * width),
      last: activations(outputs, width),
    };
    if (depth > 0) {
      const floats = (...dims: number[]) =>
        new Tensor("float32", new Float32Array(dims.reduce((product, dim) => product * dim)).fill(0.1), dims);
      feeds.query = floats(rows, heads, 1, width / heads);
      feeds.probabilities = floats(rows, heads, 1, depth);
      for (let layer = 0; layer < layers; layer++) {
        feeds[`k.${layer}`] = floats(rows, heads, depth, width / heads);
        feeds[`v.${layer}`] = floats(rows, heads, depth, width / heads);
      }
    }
    const session = depth > 0 ? this.#sessions.attention : this.#sessions.weights;
    return async () => {
      const started = performance.now();
      await session.run(feeds);
      return performance.now() - started;
    };
  }

  async close(): Promise<void> {
    await this.#sessions.weights.release();
    await this.#sessions.attention.release();
  }
}

/** Bytes of the weights that a decode step reads whole: the products', without the embedding tables. */
export function productBytes({
  n_embd: width,
  n_layer: layers,
  vocab_size: vocabulary,
  precision,
}: ModelConfig) {
  const values = layers * 12 * width * width + vocabulary * width;
  // One scale for each output column.
  return precision === "int8" ? values + 4 * (layers * 9 * width + vocabulary) : 4 * values;
}

async function writeGraph(file: string, config: ModelConfig, attention: boolean): Promise<void> {
  const { n_embd: width, n_head: heads, n_layer: layers, vocab_size: vocabulary, precision } = config;
  const headDim = width / heads;
  const nodes: Uint8Array[] = [];
  const initializers: Initializer[] = [];
  const taken: string[] = [];

  const node = (op: string, inputs: string[], attributes: Record<string, Attribute>, domain: string) => {
    const name = `${op}_${nodes.length}`;
    nodes.push(encodeNode(op, inputs, [name], attributes, domain));
    return name;
  };
  const constant = (
    name: string,
    type: Initializer["type"],
    dims: readonly number[],
    data: () => ArrayBufferView,
  ) => {
    initializers.push({ name, type, dims, data: async () => data() });
    return name;
  };
  const [zero, one, axis] = [
    constant("zero", "int64", [1], () => BigInt64Array.of(0n)),
    constant("one", "int64", [1], () => BigInt64Array.of(1n)),
    constant("axis", "int64", [1], () => BigInt64Array.of(-1n)),
  ];
  const step = constant("step", "float32", [], () => Float32Array.of(1 / 127));
  const zeroPoint = constant("zero_point", "uint8", [], () => Uint8Array.of(128));
  /** An output of the graph is copied whole, which is no part of a product: only its first column goes out. */
  const take = (name: string) => taken.push(node("Slice", [name, zero, one, axis], {}, ""));

  const product = (name: string, input: string, inputs: number, outputs: number) => {
    if (precision === "fp32") {
      const weight = constant(`${name}.weight`, "float32", [inputs, outputs], () =>
        new Float32Array(inputs * outputs).map((_, i) => (i % 251) / 251 - 0.5),
      );
      return take(node("MatMul", [input, weight], {}, ""));
    }
    const values = constant(`${name}.values`, "int8", [inputs, outputs], () =>
      new Int8Array(inputs * outputs).map((_, i) => (i % 251) - 125),
    );
    const scales = constant(`${name}.scales`, "float32", [outputs], () =>
      new Float32Array(outputs).fill(0.01),
    );
    take(node("MatMulIntegerToFloat", [input, values, step, scales, zeroPoint], {}, "com.microsoft"));
  };

  const type = precision === "int8" ? "uint8" : "float32";
  const inputs: ValueInfo[] = [
    { name: "rows", type, dims: ["rows", width] },
    { name: "inner", type, dims: ["rows", 4 * width] },
    { name: "last", type, dims: ["outputs", width] },
  ];
  if (attention)
    inputs.push(
      { name: "query", type: "float32", dims: ["rows", heads, 1, headDim] },
      { name: "probabilities", type: "float32", dims: ["rows", heads, 1, "depth"] },
    );
  for (let layer = 0; layer < layers; layer++) {
    product(`${layer}.qkv`, "rows", width, 3 * width);
    if (attention) {
      for (const name of ["k", "v"])
        inputs.push({ name: `${name}.${layer}`, type: "float32", dims: ["rows", heads, "depth", headDim] });
      take(node("FusedMatMul", ["query", `k.${layer}`], { transB: 1 }, "com.microsoft"));
      take(node("MatMul", ["probabilities", `v.${layer}`], {}, ""));
    }
    product(`${layer}.proj`, "rows", width, width);
    product(`${layer}.fc`, "rows", width, 4 * width);
    product(`${layer}.mlp_proj`, "inner", 4 * width, width);
  }
  product("head", "last", width, vocabulary);
  // Flattened, since products of activations and of caches have other ranks.
  const flat = taken.map((name) => node("Reshape", [name, axis], {}, ""));
  nodes.push(encodeNode("Concat", flat, ["taken"], { axis: 0 }, ""));

  await writeModel(file, {
    nodes,
    initializers,
    inputs,
    outputs: [{ name: "taken", type: "float32", dims: ["taken"] }],
    opset: OPSET,
    metadata: {},
  });
}
