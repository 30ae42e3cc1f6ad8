import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelConfig } from "../../../models/folder.js";
import { GraphBuilder } from "../../../models/import/graph.js";
import { type ValueInfo, writeModel } from "../../../models/import/onnx.js";
import { median } from "../statistics.js";

/** A step of the model: `chunk` new tokens of each sequence, of which `depth` are in the cache. */
export interface ProductsRun {
  sequences: number;
  chunk: number;
  depth: number;
}

/**
 * The ceiling of the arithmetic: a session that holds a model's matrix products and nothing else, in its precision and by
 * the kernel that its graph uses, from inputs that are quantized already. Of each product one number is returned.
 */
export class Products {
  private constructor(
    readonly session: InferenceSession,
    readonly config: ModelConfig,
  ) {}

  static async open(config: ModelConfig, threads: number): Promise<Products> {
    const graph = new GraphBuilder();
    return new Products(await openSession(graph, addProducts(graph, config), "taken", threads), config);
  }

  /** Feeds of one kind of run, made once: only `session.run` is timed afterwards. Each call takes milliseconds. */
  prepare({ sequences, chunk, depth }: ProductsRun): () => Promise<number> {
    const { n_embd: width, n_head: heads, n_layer: layers, precision } = this.config;
    const activations = (rows: number, size: number) =>
      precision === "int8"
        ? new Tensor("uint8", new Uint8Array(rows * size).fill(131), [rows, size])
        : floats(rows, size);
    const feeds: Record<string, Tensor> = {
      rows: activations(sequences * chunk, width),
      inner: activations(sequences * chunk, 4 * width),
      last: activations(sequences, width),
      query: floats(sequences, heads, chunk, width / heads),
      probabilities: floats(sequences, heads, chunk, depth),
    };
    // A cache of each layer's own: one alone would stay in the processor's caches.
    for (let layer = 0; layer < layers; layer++)
      for (const name of ["k", "v"])
        feeds[`${name}.${layer}`] = floats(sequences, heads, depth, width / heads);
    return () => timed(this.session, feeds);
  }

  close(): Promise<void> {
    return this.session.release();
  }
}

/** Adds the products of a model; returns the graph's inputs. */
function addProducts(graph: GraphBuilder, config: ModelConfig): ValueInfo[] {
  const { n_embd: width, n_head: heads, n_layer: layers, vocab_size: vocabulary, precision } = config;
  const [zero, one, axis] = [0, 1, -1].map((value) => graph.constant("int64", [1], value)) as [
    string,
    string,
    string,
  ];
  const taken: string[] = [];
  /** An output of the graph is copied whole, which is no part of a product: only its first column goes out. */
  const take = (name: string) => {
    const column = graph.node("Slice", [name, zero, one, axis]);
    // Flattened, since products of activations and of caches have other ranks.
    taken.push(graph.node("Reshape", [column, axis]));
  };
  const product = (name: string, input: string, inputs: number, outputs: number) => {
    const dims = [inputs, outputs];
    if (precision === "fp32") {
      const weight = graph.weight(name, "float32", dims, async () =>
        new Float32Array(inputs * outputs).map((_, i) => (i % 251) / 251 - 0.5),
      );
      take(graph.node("MatMul", [input, weight]));
      return;
    }
    const weight = graph.weight(name, "int8", dims, async () =>
      new Int8Array(inputs * outputs).map((_, i) => (i % 251) - 125),
    );
    const scales = graph.weight(`${name}.scales`, "float32", [outputs], async () =>
      new Float32Array(outputs).fill(0.01),
    );
    const [step, zeroPoint] = [graph.constant("float32", [], 1 / 127), graph.constant("uint8", [], 128)];
    const operands = [input, weight, step, scales, zeroPoint];
    take(graph.node("MatMulIntegerToFloat", operands, {}, "com.microsoft"));
  };
  for (let layer = 0; layer < layers; layer++) {
    product(`${layer}.qkv`, "rows", width, 3 * width);
    take(graph.node("FusedMatMul", ["query", `k.${layer}`], { transB: 1 }, "com.microsoft"));
    take(graph.node("MatMul", ["probabilities", `v.${layer}`]));
    product(`${layer}.proj`, "rows", width, width);
    product(`${layer}.fc`, "rows", width, 4 * width);
    product(`${layer}.mlp_proj`, "inner", 4 * width, width);
  }
  product("head", "last", width, vocabulary);
  graph.output("taken", "Concat", taken, { axis: 0 });

  const type = precision === "int8" ? "uint8" : "float32";
  const perSequence = (name: string, ...dims: (string | number)[]): ValueInfo => ({
    name,
    type: "float32",
    dims: ["sequences", heads, ...dims],
  });
  return [
    { name: "rows", type, dims: ["rows", width] },
    { name: "inner", type, dims: ["rows", 4 * width] },
    { name: "last", type, dims: ["sequences", width] },
    perSequence("query", "chunk", width / heads),
    perSequence("probabilities", "chunk", "depth"),
    ...Array.from({ length: layers }, (_, layer) =>
      ["k", "v"].map((name) => perSequence(`${name}.${layer}`, "depth", width / heads)),
    ).flat(),
  ];
}

/** Bytes of the weights that a decode step reads whole: the products', without the embedding tables. */
export function weightBytes(config: ModelConfig): number {
  const { n_embd: width, n_layer: layers, vocab_size: vocabulary, precision } = config;
  const values = layers * 12 * width * width + vocabulary * width;
  // One scale for each output column.
  return precision === "int8" ? values + 4 * (layers * 9 * width + vocabulary) : 4 * values;
}

/** Far more than any cache holds, in rows short enough to be shared out among threads. */
const BUFFER = { rows: 65_536, columns: 1024 };

/** The ceiling of a step that reads much and computes little: how fast memory is read that no cache holds. */
export async function memoryBytesPerMs(threads: number): Promise<number> {
  const graph = new GraphBuilder();
  graph.output("sum", "ReduceSum", ["buffer", graph.constant("int64", [1], 1)], { keepdims: 0 });
  const input: ValueInfo = { name: "buffer", type: "float32", dims: ["rows", BUFFER.columns] };
  const session = await openSession(graph, [input], "sum", threads);
  const buffer = floats(BUFFER.rows, BUFFER.columns);
  const times: number[] = [];
  for (let i = 0; i < 5; i++) times.push(await timed(session, { buffer }));
  await session.release();
  return (4 * BUFFER.rows * BUFFER.columns) / median(times);
}

async function openSession(
  { nodes, initializers }: GraphBuilder,
  inputs: readonly ValueInfo[],
  output: string,
  threads: number,
): Promise<InferenceSession> {
  const folder = await mkdtemp(join(tmpdir(), "jai-ceiling-"));
  try {
    const file = join(folder, "model.onnx");
    const outputs: ValueInfo[] = [{ name: output, type: "float32", dims: ["count"] }];
    await writeModel(file, { nodes, initializers, inputs, outputs, opset: 20, metadata: {} });
    return await InferenceSession.create(file, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

function floats(...dims: number[]): Tensor {
  return new Tensor("float32", new Float32Array(dims.reduce((all, dim) => all * dim, 1)).fill(0.1), dims);
}

async function timed(session: InferenceSession, feeds: Record<string, Tensor>): Promise<number> {
  const started = performance.now();
  await session.run(feeds);
  return performance.now() - started;
}
