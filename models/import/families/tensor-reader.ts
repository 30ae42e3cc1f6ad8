import { ImportError } from "../checkpoint/error.js";
import type { Tensor } from "../checkpoint/tensor.js";
import type { Linear, Norm, WeightSource } from "../weights.js";

/** Far above any model that this server can run, and low enough that no product of two sizes loses a digit. */
export const LIMITS = { vocab: 2 ** 22, context: 2 ** 20, layers: 2 ** 10, width: 2 ** 16, hidden: 2 ** 18 };

/** Takes a family's tensors out of a state dict by name, checking shapes. What is left at the end is an error. */
export class TensorReader {
  readonly #file: string;
  readonly #left: Map<string, Tensor>;
  /** Tensors that a model may be without, with `*` for the layer: whether the first layer has them. */
  readonly #optional = new Map<string, boolean>();

  constructor(file: string, { tensors }: { tensors: ReadonlyMap<string, Tensor> }) {
    this.#file = file;
    this.#left = new Map(tensors);
  }

  has(name: string): boolean {
    return this.#left.has(name);
  }

  /** Whether a tensor is there that either each layer has or none. @throws ImportError if another layer differs */
  hasInEach(name: string): boolean {
    const part = name.replaceAll(/\.\d+(?=\.)/g, ".*");
    const isThere = this.has(name);
    const before = this.#optional.get(part) ?? isThere;
    this.#optional.set(part, before);
    if (isThere === before) return isThere;
    throw this.error(
      `expected "${part}" in each layer or in none, but "${name}" is ${isThere ? "there" : "missing"}`,
    );
  }

  /** Sizes of a matrix that stays where it is. @throws ImportError if it is missing or no matrix within the limits */
  matrix(name: string, mostRows: number, mostColumns: number): [rows: number, columns: number] {
    const tensor = this.#left.get(name);
    if (tensor === undefined) throw this.error(`the tensor "${name}" is missing; the sizes come from it`);
    const [rows = 0, columns = 0] = tensor.shape;
    if (tensor.shape.length !== 2 || rows < 1 || columns < 1 || rows > mostRows || columns > mostColumns)
      throw this.error(
        `expected "${name}" to be a matrix of at most ${mostRows} × ${mostColumns}, got shape ${show(tensor.shape)}`,
      );
    return [rows, columns];
  }

  /** Null where there is no such tensor. */
  shapeOf(name: string): readonly number[] | null {
    return this.#left.get(name)?.shape ?? null;
  }

  /** Length of a vector that stays where it is; null where there is none. */
  sizeOf(name: string): number | null {
    const tensor = this.#left.get(name);
    return tensor?.shape.length === 1 ? tensor.shape[0]! : null;
  }

  /** How many layers there are, by the numbers that follow a prefix such as `blocks.`. */
  layers(prefix: string): number {
    let layers = 0;
    for (const name of this.#left.keys()) {
      const index = name.startsWith(prefix) ? /^\d+(?=\.)/.exec(name.slice(prefix.length)) : null;
      if (index !== null) layers = Math.max(layers, Number(index[0]) + 1);
    }
    if (layers < 1 || layers > LIMITS.layers)
      throw this.error(
        `expected layers "${prefix}0" to at most "${prefix}${LIMITS.layers - 1}", got ${
          layers === 0 ? "none" : `"${prefix}${layers - 1}"`
        }`,
      );
    return layers;
  }

  /** @throws ImportError if the tensor is missing, of another shape, or holds no floats */
  take(name: string, ...shape: number[]): Weight {
    const tensor = this.#left.get(name);
    if (tensor === undefined)
      throw this.error(`the tensor "${name}" is missing; expected one of shape ${show(shape)}`);
    this.#assertShape(name, tensor, shape);
    if (!tensor.isFloat)
      throw this.error(`expected "${name}" in float32, float16, bfloat16 or float64, got ${tensor.dtype}`);
    this.#left.delete(name);
    return new Weight(name, tensor);
  }

  /** The same, or null where there is none. */
  takeIfThere(name: string, ...shape: number[]): Weight | null {
    return this.hasInEach(name) ? this.take(name, ...shape) : null;
  }

  /** `NAME.weight` [out, inputs], and `NAME.bias` if it is there. */
  linear(name: string, outputs: number, inputs: number): Linear {
    return {
      weight: this.take(`${name}.weight`, outputs, inputs),
      bias: this.takeIfThere(`${name}.bias`, outputs),
    };
  }

  /** `NAME.weight` [width], and `NAME.bias` if it is there. */
  norm(name: string, width: number): Norm {
    return {
      weight: this.take(`${name}.weight`, width),
      bias: this.takeIfThere(`${name}.bias`, width),
    };
  }

  /** A head that may be left out, and is the tokens' embedding then, as it is where both share their memory. */
  head(name: string, tokens: Weight): { head: Linear; tied: boolean } {
    const [vocab, width] = tokens.shape as [number, number];
    const own = this.takeIfThere(`${name}.weight`, vocab, width);
    const tied = own === null || own.tensor.sameAs(tokens.tensor);
    return {
      head: { weight: tied ? tokens : own, bias: this.takeIfThere(`${name}.bias`, vocab) },
      tied,
    };
  }

  /** Drops a buffer of the training script, such as a causal mask, if it is there. @param shape that it must have */
  drop(name: string, shape?: readonly number[]): void {
    const tensor = this.#left.get(name);
    if (tensor !== undefined && shape !== undefined) this.#assertShape(name, tensor, shape);
    this.#left.delete(name);
  }

  /** @throws ImportError that names the first tensor that nobody has taken */
  assertNothingLeft(): void {
    const [first, ...others] = this.#left;
    if (first === undefined) return;
    const [name, tensor] = first;
    const more = others.length > 0 ? ` (and ${others.length} more)` : "";
    throw this.error(`unexpected tensor "${name}" of shape ${show(tensor.shape)}${more}`);
  }

  error(detail: string): ImportError {
    return new ImportError(this.#file, detail);
  }

  #assertShape(name: string, tensor: Tensor, shape: readonly number[]): void {
    if (show(tensor.shape) !== show(shape))
      throw this.error(`expected "${name}" to have shape ${show(shape)}, got ${show(tensor.shape)}`);
  }
}

/** A tensor of floats. */
export class Weight implements WeightSource {
  constructor(
    readonly name: string,
    readonly tensor: Tensor,
  ) {}

  get shape(): readonly number[] {
    return this.tensor.shape;
  }

  async read(): Promise<Float32Array<ArrayBuffer>> {
    const values = await this.tensor.read();
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw new ImportError(
        this.tensor.file,
        `expected finite numbers in "${this.name}", got ${values[bad]} at element ${bad}`,
      );
    return values;
  }
}

export function show(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
