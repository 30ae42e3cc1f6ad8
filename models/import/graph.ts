import type { ModelConfig } from "../config.js";
import { capacityDimension, LOGIT_BLOCK } from "../shape.js";
import {
  type Attribute,
  type ElementType,
  encodeNode,
  type Initializer,
  type Model,
  type ValueInfo,
} from "./onnx.js";
import { levelsOf, quantizeRows, type Range } from "./quantize.js";
import type { GptWeights, Linear, Norm, WeightSource } from "./weights.js";

const OPSET = 20;
/** What a masked score becomes: its exponential is exactly 0, and unlike -infinity it can't make a NaN. */
const MASKED = -1e30;

/** Collects nodes and initializers under names of its own. */
export class GraphBuilder {
  readonly nodes: Uint8Array[] = [];
  readonly initializers: Initializer[] = [];
  readonly #constants = new Map<string, string>();
  #next = 0;

  /** Adds a node and returns the names of its `count` outputs. */
  outputs(
    count: number,
    op: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    domain = "",
  ) {
    const names = Array.from({ length: count }, () => `${op}_${this.#next++}`);
    this.nodes.push(encodeNode(op, inputs, names, attributes, domain));
    return names;
  }

  node(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    domain = "",
  ): string {
    return this.outputs(1, op, inputs, attributes, domain)[0]!;
  }

  /** Names an output of the graph. */
  output(
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
  ): void {
    this.nodes.push(encodeNode(op, inputs, [name], attributes, ""));
  }

  weight(
    name: string,
    type: ElementType,
    dims: readonly number[],
    data: () => Promise<ArrayBufferView>,
  ): string {
    this.initializers.push({ name, type, dims, data });
    return name;
  }

  /** A small constant; equal ones are stored once. */
  constant(
    type: "float32" | "int64" | "int32" | "uint8",
    dims: readonly number[],
    ...values: number[]
  ): string {
    const name = `${type}_${dims.join("x")}_${values.join("_")}`;
    if (!this.#constants.has(name)) {
      const data = {
        float32: () => Float32Array.from(values),
        int64: () => BigInt64Array.from(values, BigInt),
        int32: () => Int32Array.from(values),
        uint8: () => Uint8Array.from(values),
      }[type];
      this.#constants.set(
        name,
        this.weight(name, type, dims, async () => data()),
      );
    }
    return name;
  }

  shape(...dims: number[]): string {
    return this.constant("int64", [dims.length], ...dims);
  }
}

/** Torch keeps a linear layer as [out, in]; a plain `MatMul` wants [in, out]. */
export function transpose(weight: Float32Array, rows: number, columns: number): Float32Array {
  const transposed = new Float32Array(weight.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      transposed[column * rows + row] = weight[row * columns + column]!;
    }
  }
  return transposed;
}

/** Reads a source once, though several initializers are made of it: the writer takes them one after the other. */
function once<T>(make: () => Promise<T>): { take(): Promise<T>; last(): Promise<T> } {
  let made: Promise<T> | undefined;
  const take = () => {
    made ??= make();
    return made;
  };
  const last = () => {
    const value = take();
    made = undefined;
    return value;
  };
  return { take, last };
}

/**
 * Builds the step graph of a GPT with learned positions, pre-LayerNorm, fused QKV, causal attention, exact GELU and a
 * final LayerNorm. One run feeds `chunk` new tokens to each of `batch` sequences.
 *
 * Inputs: `input_ids` int32 [batch, chunk]; `past_lengths` int32 [batch], tokens that each sequence's cache holds;
 * `last_rows` int32 [rows], the rows of the flattened [batch * chunk] that go through the output head, usually each
 * sequence's last; `past_k.N`, `past_v.N` float32 [batch, heads, capacity, head_dim], of which the first
 * `past_lengths` positions count.
 * Outputs: `logits` float32 [rows, vocabulary]; `maxima` float32 [rows, 1, vocabulary / LOGIT_BLOCK rounded up], the
 * greatest logit of each block, which tell the sampler where not to look; `present` float32 [2 * layers, batch, heads, chunk, head_dim], the new
 * cache rows, K before V in each layer.
 *
 * The cache is only read: onnxruntime-node feeds an input without a copy but copies every output, so the new rows come
 * out alone and the caller writes them into its cache. For the same reason attention scores the past and the chunk
 * apart and joins the scores instead of the keys.
 *
 * Every operator works on each row alone, so a sequence's numbers don't depend on its neighbours in the batch.
 *
 * @param inputRanges for `int8`: of each matrix product's input, in the order in which the graph computes them. They are
 * constants of the graph: a scale found at run time would cost five operators more for each product, and one found over
 * the whole batch would make a sequence's numbers depend on its neighbours.
 */
export function buildGraph(weights: GptWeights, config: ModelConfig, inputRanges?: readonly Range[]): Model {
  return build(weights, config, config.precision === "int8" ? (inputRanges ?? []) : undefined);
}

/**
 * The same graph in float32 with one more output: `ranges` float32 [products, 2], the least and the greatest number that
 * each matrix product's input held in this run.
 */
export function buildObservedGraph(weights: GptWeights, config: ModelConfig): Model {
  return build(weights, { ...config, precision: "fp32" }, undefined, true);
}

function build(
  weights: GptWeights,
  config: ModelConfig,
  inputRanges?: readonly Range[],
  observed = false,
): Model {
  const graph = new GraphBuilder();
  const {
    n_embd: width,
    n_head: heads,
    n_layer: layers,
    n_positions: context,
    vocab_size: vocabulary,
  } = config;
  const headDim = width / heads;
  const epsilon = { axis: -1, epsilon: { float: config.layer_norm_epsilon } };

  const inputs: ValueInfo[] = [
    { name: "input_ids", type: "int32", dims: ["batch", "chunk"] },
    { name: "past_lengths", type: "int32", dims: ["batch"] },
    { name: "last_rows", type: "int32", dims: ["rows"] },
  ];
  for (let layer = 0; layer < layers; layer++) {
    for (const part of ["k", "v"]) {
      inputs.push({
        name: `past_${part}.${layer}`,
        type: "float32",
        dims: ["batch", heads, capacityDimension(context), headDim],
      });
    }
  }
  const outputs: ValueInfo[] = [
    { name: "logits", type: "float32", dims: ["rows", vocabulary] },
    { name: "maxima", type: "float32", dims: ["rows", 1, Math.ceil(vocabulary / LOGIT_BLOCK)] },
    { name: "present", type: "float32", dims: [2 * layers, "batch", heads, "chunk", headDim] },
  ];

  const vector = (name: string, source: WeightSource, scaled?: (values: Float32Array) => void) =>
    graph.weight(name, "float32", source.shape, async () => {
      const values = await source.read();
      scaled?.(values);
      return values;
    });

  const norm = (name: string, input: string, { weight, bias }: Norm) =>
    graph.node(
      "LayerNormalization",
      [input, vector(`${name}.weight`, weight), ...(bias ? [vector(`${name}.bias`, bias)] : [])],
      epsilon,
    );

  /** `scaled` changes the [out, in] weight and the bias in place before they are stored. */
  const linear = (
    name: string,
    input: string,
    { weight, bias }: Linear,
    scaled?: (values: Float32Array) => void,
  ) => {
    const [rows, columns] = weight.shape as [number, number];
    const read = async () => {
      const values = await weight.read();
      scaled?.(values);
      return values;
    };
    const addend = bias && vector(`${name}.bias`, bias, scaled);
    if (inputRanges) return quantizedProduct(name, input, rows, columns, read, addend);
    if (observed) ranges.push(rangeOf(input));
    const product = graph.node("MatMul", [
      input,
      graph.weight(`${name}.weight`, "float32", [columns, rows], async () =>
        transpose(await read(), rows, columns),
      ),
    ]);
    return addend ? graph.node("Add", [product, addend]) : product;
  };

  const ranges: string[] = [];
  const rangeOf = (input: string) => {
    const values = graph.node("Reshape", [input, graph.shape(-1)]);
    const ends = ["ReduceMin", "ReduceMax"].map((op) => graph.node(op, [values], { keepdims: 1 }));
    return graph.node("Unsqueeze", [graph.node("Concat", ends, { axis: 0 }), graph.shape(0)]);
  };

  let products = 0;
  const quantizedProduct = (
    name: string,
    input: string,
    rows: number,
    columns: number,
    read: () => Promise<Float32Array>,
    addend: string | null,
  ) => {
    const quantized = once(async () => quantizeRows(await read(), rows, columns));
    const values = graph.weight(
      `${name}.values`,
      "int8",
      [columns, rows],
      async () => (await quantized.take()).values,
    );
    const scales = graph.weight(
      `${name}.scales`,
      "float32",
      [rows],
      async () => (await quantized.last()).scales,
    );
    const range = inputRanges?.[products++];
    if (!range)
      throw new Error(`expected a range of the input of ${name}, got ${inputRanges?.length} ranges`);
    const levels = levelsOf(range);
    const step = graph.constant("float32", [], levels.step);
    const zero = graph.constant("uint8", [], levels.zero);
    return graph.node(
      "MatMulIntegerToFloat",
      [
        graph.node("QuantizeLinear", [input, step, zero]),
        values,
        step,
        scales,
        zero,
        ...(addend ? ["", addend] : []),
      ],
      {},
      "com.microsoft",
    );
  };

  const scalar = (value: number) => graph.constant("int64", [], value);
  const chunk = graph.node("Gather", [graph.node("Shape", ["input_ids"]), scalar(1)]);
  const capacity = graph.node("Gather", [graph.node("Shape", ["past_k.0"]), scalar(2)]);
  const range = (limit: string) => {
    const limit32 = graph.node("Cast", [limit], { to: 6 });
    return graph.node("Range", [graph.constant("int32", [], 0), limit32, graph.constant("int32", [], 1)]);
  };

  // Rows past a sequence's own chunk are padding; they must only stay inside the table.
  const chunkRange = range(chunk);
  const positions = graph.node("Min", [
    graph.node("Add", [graph.node("Unsqueeze", ["past_lengths", graph.shape(1)]), chunkRange]),
    graph.constant("int32", [], context - 1),
  ]);

  // [batch, 1, chunk, capacity + chunk]: what is past a sequence's length, and what is later in the chunk, is masked.
  const zeros = graph.node("Expand", [
    graph.constant("float32", [], 0),
    graph.node("Concat", [graph.node("Reshape", [chunk, graph.shape(1)]), graph.shape(1)], { axis: 0 }),
  ]);
  const masked = graph.constant("float32", [], MASKED);
  const isPast = graph.node("Less", [
    range(capacity),
    graph.node("Unsqueeze", ["past_lengths", graph.shape(1, 2, 3)]),
  ]);
  const pastMask = graph.node("Where", [isPast, zeros, masked]);
  const isEarlier = graph.node("LessOrEqual", [
    chunkRange,
    graph.node("Unsqueeze", [chunkRange, graph.shape(1)]),
  ]);
  const batch = graph.node("Shape", ["past_lengths"]);
  const chunkMask = graph.node("Expand", [
    graph.node("Where", [isEarlier, graph.constant("float32", [], 0), masked]),
    graph.node("Concat", [batch, graph.shape(1, 1, 1)], { axis: 0 }),
  ]);
  const mask = graph.node("Concat", [pastMask, chunkMask], { axis: -1 });
  const parts = graph.node(
    "Concat",
    [graph.node("Reshape", [capacity, graph.shape(1)]), graph.node("Reshape", [chunk, graph.shape(1)])],
    { axis: 0 },
  );

  let hidden = graph.node("Add", [
    graph.node("Gather", [vector("tokens", weights.tokens), "input_ids"]),
    graph.node("Gather", [vector("positions", weights.positions), positions]),
  ]);

  const scores = (query: string, key: string) =>
    graph.node("FusedMatMul", [query, key], { transB: 1 }, "com.microsoft");
  // Scaling the queries' weights instead of the scores saves an operator in each layer.
  const scaleQueries = (values: Float32Array) => {
    for (let i = 0; i < values.length / 3; i++) values[i]! *= 1 / Math.sqrt(headDim);
  };
  const rows: string[] = [];
  for (const [layer, { ln1, qkv, proj, ln2, fc, mlpProj }] of weights.layers.entries()) {
    const name = `layers.${layer}`;
    const fused = linear(`${name}.qkv`, norm(`${name}.ln1`, hidden, ln1), qkv, scaleQueries);
    const split = graph.node(
      "Transpose",
      [graph.node("Reshape", [fused, graph.shape(0, 0, 3, heads, headDim)])],
      {
        perm: [2, 0, 3, 1, 4],
      },
    );
    const [query, key, value] = graph.outputs(3, "Split", [split], { axis: 0, num_outputs: 3 }) as [
      string,
      string,
      string,
    ];
    rows.push(key, value);
    const joined = graph.node("Concat", [scores(query, `past_k.${layer}`), scores(query, key)], { axis: -1 });
    const probabilities = graph.node("Softmax", [graph.node("Add", [joined, mask])], { axis: -1 });
    const [ofPast, ofChunk] = graph.outputs(2, "Split", [probabilities, parts], { axis: -1 }) as [
      string,
      string,
    ];
    const mixed = graph.node("Add", [
      graph.node("MatMul", [ofPast, `past_v.${layer}`]),
      graph.node("MatMul", [ofChunk, value]),
    ]);
    const merged = graph.node("Reshape", [
      graph.node("Transpose", [mixed], { perm: [1, 3, 0, 2, 4] }),
      graph.shape(0, 0, width),
    ]);
    hidden = graph.node("Add", [hidden, linear(`${name}.proj`, merged, proj)]);
    const inner = graph.node("Gelu", [linear(`${name}.fc`, norm(`${name}.ln2`, hidden, ln2), fc)], {
      approximate: "none",
    });
    hidden = graph.node("Add", [hidden, linear(`${name}.mlp_proj`, inner, mlpProj)]);
  }
  graph.output("present", "Concat", rows, { axis: 0 });

  const last = graph.node("Gather", [graph.node("Reshape", [hidden, graph.shape(-1, width)]), "last_rows"]);
  const logits = linear("head", norm("final_norm", last, weights.finalNorm), {
    weight: weights.head,
    bias: null,
  });
  graph.output("logits", "Identity", [logits]);
  graph.output("maxima", "MaxPool", [graph.node("Unsqueeze", [logits, graph.shape(1)])], {
    kernel_shape: [LOGIT_BLOCK],
    strides: [LOGIT_BLOCK],
    ceil_mode: 1,
  });
  if (observed) {
    outputs.push({ name: "ranges", type: "float32", dims: [ranges.length, 2] });
    graph.output("ranges", "Concat", ranges, { axis: 0 });
  }

  return {
    nodes: graph.nodes,
    initializers: graph.initializers,
    inputs,
    outputs,
    opset: OPSET,
    metadata: { jai_config: JSON.stringify(config) },
  };
}
