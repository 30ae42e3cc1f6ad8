import { free } from "../free.js";
import { transpose } from "../rearranged.js";
import type { Linear } from "../weights.js";
import { type Change, changed, type GraphBuilder } from "./builder.js";
import { levelsOf, quantizeRows, type Range } from "./quantize.js";

/**
 * Adds a linear layer and returns its output.
 * @param change for the [out, in] weight and for the bias
 * @param output the name of the output, if it is the graph's
 */
export type AddLinear = (
  name: string,
  input: string,
  layer: Linear,
  change?: Change,
  output?: string,
) => string;

/** Linear layers in float32. */
export function floatLinear(graph: GraphBuilder): AddLinear {
  return (name, input, { weight, bias }, change, output) => {
    const [rows, columns] = weight.shape as [number, number];
    const addend = bias && graph.source(`${name}.bias`, bias, change);
    const transposed = graph.weight(`${name}.weight`, "float32", [columns, rows], async () => {
      const values = await changed(weight, change);
      const turned = transpose(values, rows, columns);
      free(values);
      return turned;
    });
    if (!addend) return graph.node("MatMul", [input, transposed], {}, "", output);
    return graph.node("Add", [graph.node("MatMul", [input, transposed]), addend], {}, "", output);
  };
}

export interface Observed {
  output: string;
  columns: number;
}

/** Adds the least and the greatest number of each column of `values`: float32 [2, columns]. */
export function observe(graph: GraphBuilder, values: string, columns: number): Observed {
  const rows = graph.node("Reshape", [values, graph.shape(-1, columns)]);
  const ends = ["ReduceMin", "ReduceMax"].map((op) =>
    graph.node(op, [rows, graph.shape(0)], { keepdims: 1 }),
  );
  return { output: graph.node("Concat", ends, { axis: 0 }), columns };
}

/**
 * Linear layers in float32 whose inputs are observed. A head that is tied to the embeddings shares their initializer.
 * @param observed gets each layer's
 */
export function observedLinear(graph: GraphBuilder, observed: Observed[]): AddLinear {
  const add = floatLinear(graph);
  return (name, input, layer, change, output) => {
    observed.push(observe(graph, input, layer.weight.shape[1]!));
    const shared = graph.nameOf(layer.weight);
    if (shared === undefined || layer.bias || change) return add(name, input, layer, change, output);
    return graph.node("FusedMatMul", [input, shared], { transB: 1 }, "com.microsoft", output);
  };
}

/**
 * Linear layers of int8 weights and uint8 inputs.
 * @param ranges of each layer's input, in the order in which the layers are added
 */
export function quantizedLinear(graph: GraphBuilder, ranges: readonly Range[]): AddLinear {
  let added = 0;
  return (name, input, { weight, bias }, change, output) => {
    const [rows, columns] = weight.shape as [number, number];
    const addend = bias && graph.source(`${name}.bias`, bias, change);
    const quantized = once(async () => {
      const values = await changed(weight, change);
      const quantized = quantizeRows(values, rows, columns);
      free(values);
      return quantized;
    });
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
    const range = ranges[added++];
    if (!range) throw new Error(`expected a range of the input of ${name}, got ${ranges.length} ranges`);
    const levels = levelsOf(range);
    const step = graph.constant("float32", [], levels.step);
    const zero = graph.constant("uint8", [], levels.zero);
    const levelsOfInput = graph.node("QuantizeLinear", [input, step, zero]);
    return graph.node(
      "MatMulIntegerToFloat",
      [levelsOfInput, values, step, scales, zero, ...(addend ? ["", addend] : [])],
      {},
      "com.microsoft",
      output,
    );
  };
}

/** Makes a value once for several initializers, which are written one after the other, and lets go of it with the last. */
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
