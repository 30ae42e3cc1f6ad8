import type { WeightSource } from "../weights.js";
import { type Attribute, type ElementType, encodeNode, type Initializer } from "./onnx.js";

/** Changes a weight's values in place. */
export type Change = (values: Float32Array) => void;

/** Collects nodes and initializers, and names node outputs. */
export class GraphBuilder {
  readonly nodes: Uint8Array[] = [];
  readonly initializers: Initializer[] = [];
  readonly #constants = new Map<string, string>();
  readonly #sources = new Map<WeightSource, string>();
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

  /** Adds a node with one output and returns its name. `output` names it: one of the graph's outputs. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    domain = "",
    output = `${op}_${this.#next++}`,
  ): string {
    this.nodes.push(encodeNode(op, inputs, [output], attributes, domain));
    return output;
  }

  /** Adds the node that makes the graph's output `name`. */
  output(
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
  ): void {
    this.node(op, inputs, attributes, "", name);
  }

  /** Adds an initializer; `data` gives its values when it is written. */
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
    type: "float32" | "int64" | "int32" | "uint8" | "int8",
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
        int8: () => Int8Array.from(values),
      }[type];
      this.#constants.set(
        name,
        this.weight(name, type, dims, async () => data()),
      );
    }
    return name;
  }

  /** A weight as it is in the checkpoint; `change` changes its values in place before they are stored. */
  source(name: string, source: WeightSource, change?: Change): string {
    if (!change) this.#sources.set(source, name);
    return this.weight(name, "float32", source.shape, () => changed(source, change));
  }

  /** The name of a weight that was added as it is in the checkpoint. */
  nameOf(source: WeightSource): string | undefined {
    return this.#sources.get(source);
  }

  /** A constant list of integers, as operators take shapes and axes. */
  shape(...dims: number[]): string {
    return this.constant("int64", [dims.length], ...dims);
  }
}

export async function changed(source: WeightSource, change?: Change): Promise<Float32Array> {
  const values = await source.read();
  change?.(values);
  return values;
}
