import { ImportError } from "./error.js";
import { OpenFile } from "./open-file.js";
import { Tensor } from "./tensor.js";

/** Seven int32: dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len. */
export const HEADER_BYTES = 28;

export interface Llama2cHeader {
  dim: number;
  hidden_dim: number;
  n_layers: number;
  n_heads: number;
  n_kv_heads: number;
  vocab_size: number;
  max_seq_len: number;
  /** The head is the token embedding; the file says otherwise by a negative vocab_size. */
  tied: boolean;
}

export interface OpenLlama2c {
  readonly file: string;
  /** Under the names of llama2.c's own checkpoints. */
  readonly tensors: Map<string, Tensor>;
  readonly header: Llama2cHeader;
  /** No tensor can be read afterwards. */
  close(): Promise<void>;
}

const MAX_DIM = 2 ** 20;
const MAX_LAYERS = 1024;

/** The header, if these can be a version-0 file's first bytes. */
export function parseHeader(start: Buffer): Llama2cHeader | undefined {
  if (start.length < HEADER_BYTES) return undefined;
  const [dim, hidden, layers, heads, kvHeads, vocab, context] = Array.from({ length: 7 }, (_, index) =>
    start.readInt32LE(4 * index),
  ) as [number, number, number, number, number, number, number];
  const header = {
    dim,
    hidden_dim: hidden,
    n_layers: layers,
    n_heads: heads,
    n_kv_heads: kvHeads,
    vocab_size: Math.abs(vocab),
    max_seq_len: context,
    tied: vocab > 0,
  };
  const sizes = [dim, hidden, heads, kvHeads, Math.abs(vocab), context];
  const plausible =
    sizes.every((size) => size >= 1 && size <= MAX_DIM) &&
    layers >= 1 &&
    layers <= MAX_LAYERS &&
    dim % heads === 0 &&
    heads % kvHeads === 0;
  return plausible ? header : undefined;
}

/** Bytes that a file with this header has. */
export function fileBytes(header: Llama2cHeader): number {
  return HEADER_BYTES + 4 * layout(header).reduce((sum, part) => sum + elements(part), 0);
}

/**
 * Opens the file that llama2.c's `export.py --version 0` writes (its `model.bin`): float32 tensors in a fixed order.
 * @throws ImportError
 */
export async function openLlama2c(file: string): Promise<OpenLlama2c> {
  const open = await OpenFile.open(file);
  try {
    const header = parseHeader(await open.head(HEADER_BYTES));
    const size = header && fileBytes(header);
    if (header === undefined || open.size !== size)
      throw new ImportError(
        file,
        `expected llama2.c's version-0 .bin with the ${size ?? HEADER_BYTES} bytes of its header's sizes, got ${open.size} bytes; is it truncated?`,
      );
    const tensors = new Map<string, Tensor>();
    let at = HEADER_BYTES;
    for (const part of layout(header))
      for (let index = 0; index < part.count; index++) {
        const size = 4 * elements({ ...part, count: 1 });
        const name = part.name?.replace("*", String(index));
        if (name !== undefined)
          tensors.set(name, Tensor.whole(open.section(name, at, size), "float32", part.shape));
        at += size;
      }
    if (header.tied) tensors.set("output.weight", tensors.get("tok_embeddings.weight")!);
    return { file, tensors, header, close: () => open.close() };
  } catch (error) {
    await open.close();
    throw error;
  }
}

/** Tensors in the file's order. Those without a name are tables that a checkpoint doesn't have. */
interface Part {
  name: string | undefined;
  shape: number[];
  count: number;
}

function layout(header: Llama2cHeader): Part[] {
  const { dim, hidden_dim: hidden, n_layers: layers, n_heads: heads, vocab_size: vocab } = header;
  const headSize = dim / heads;
  const kvDim = headSize * header.n_kv_heads;
  const one = (name: string | undefined, ...shape: number[]) => ({ name, shape, count: 1 });
  const each = (name: string, ...shape: number[]) => ({
    name: `layers.*.${name}.weight`,
    shape,
    count: layers,
  });
  const rotary = () => one(undefined, header.max_seq_len, Math.floor(headSize / 2));
  return [
    one("tok_embeddings.weight", vocab, dim),
    each("attention_norm", dim),
    each("attention.wq", dim, dim),
    each("attention.wk", kvDim, dim),
    each("attention.wv", kvDim, dim),
    each("attention.wo", dim, dim),
    each("ffn_norm", dim),
    each("feed_forward.w1", hidden, dim),
    each("feed_forward.w2", dim, hidden),
    each("feed_forward.w3", hidden, dim),
    one("norm.weight", dim),
    rotary(),
    rotary(),
    ...(header.tied ? [] : [one("output.weight", vocab, dim)]),
  ];
}

function elements({ shape, count }: Part): number {
  return shape.reduce((product, size) => product * size, count);
}
