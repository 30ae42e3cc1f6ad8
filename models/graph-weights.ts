import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ModelError } from "./files/error.js";

/** A weight of a graph file. */
export interface GraphWeight {
  name: string;
  dims: number[];
  /** Where its values are: in the graph's file, or in the one beside it. Null in a graph that isn't `import`'s. */
  place: { type: GraphType; isBeside: boolean; offset: number; length: number } | null;
}

export type GraphType = "float32" | "int8";

/** Field numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_DIMS = 1;
const TENSOR_TYPE = 2;
const TENSOR_NAME = 8;
const TENSOR_DATA = 9;
const TENSOR_EXTERNAL = 13;
const ENTRY_KEY = 1;
const ENTRY_VALUE = 2;
const TYPES: Readonly<Record<number, GraphType>> = { 1: "float32", 3: "int8" };

/** Node reads at most 2 GiB. */
const MOST_AT_ONCE = 2 ** 30;
/** Longer than a field's key and its length, or a single number. */
const HEAD_BYTES = 24;

interface Field {
  number: number;
  /** The value of a number; for bytes, their length. */
  value: number;
  /** Where bytes begin; null for a number. */
  start: number | null;
}

/**
 * Names and sizes of a graph file's weights, in the file's order. Their data are skipped, not read: they may be a
 * gigabyte.
 * @throws ModelError if it is no graph
 */
export function readGraphWeights(path: string): GraphWeight[] {
  const file = openSync(path, "r");
  try {
    const inside = (field: Field) => fieldsOf(file, field.start!, field.start! + field.value);
    return [...fieldsOf(file, 0, fstatSync(file).size)]
      .filter(({ number }) => number === MODEL_GRAPH)
      .flatMap((graph) => [...inside(graph)].filter(({ number }) => number === GRAPH_INITIALIZER))
      .map((tensor) => weightOf(file, [...inside(tensor)]));
  } catch (error) {
    throw new ModelError(`${path}: ${(error as Error).message}; import the model again`);
  } finally {
    closeSync(file);
  }
}

/**
 * Reads a weight's values.
 * @throws ModelError if they aren't whole
 */
export function readGraphValues(
  path: string,
  { name, dims, place }: GraphWeight,
): Float32Array<ArrayBuffer> | Int8Array<ArrayBuffer> {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const size = place?.type === "int8" ? 1 : 4;
  if (place === null || place.length !== count * size)
    throw new ModelError(`${path}: expected ${count} values of ${name}; import the model again`);
  const file = openSync(place.isBeside ? `${path}_data` : path, "r");
  try {
    // A buffer of its own, so that floats are aligned.
    const bytes = new Uint8Array(place.length);
    for (let at = 0; at < bytes.length; ) {
      const got = readSync(file, bytes, at, Math.min(bytes.length - at, MOST_AT_ONCE), place.offset + at);
      if (got === 0)
        throw new ModelError(`${path}: expected all values of ${name}, got a file that is cut off`);
      at += got;
    }
    return place.type === "int8" ? new Int8Array(bytes.buffer) : new Float32Array(bytes.buffer);
  } finally {
    closeSync(file);
  }
}

function weightOf(file: number, fields: readonly Field[]): GraphWeight {
  const name = fields.find(({ number }) => number === TENSOR_NAME);
  const dims = fields
    .filter(({ number }) => number === TENSOR_DIMS)
    .flatMap((field) => numbersOf(file, field));
  const type = TYPES[fields.find(({ number }) => number === TENSOR_TYPE)?.value ?? 0];
  const place = type === undefined ? null : placeOf(file, fields);
  return {
    name: name === undefined ? "" : textOf(file, name),
    dims,
    place: place && { type: type!, ...place },
  };
}

function placeOf(file: number, fields: readonly Field[]) {
  const data = fields.find(({ number }) => number === TENSOR_DATA);
  if (data !== undefined) return { isBeside: false, offset: data.start!, length: data.value };
  const entries = new Map(
    fields
      .filter(({ number }) => number === TENSOR_EXTERNAL)
      .map(({ start, value }) => {
        const inner = [...fieldsOf(file, start!, start! + value)];
        const text = (wanted: number) => {
          const found = inner.find(({ number }) => number === wanted);
          return found === undefined ? "" : textOf(file, found);
        };
        return [text(ENTRY_KEY), text(ENTRY_VALUE)];
      }),
  );
  const [offset, length] = [Number(entries.get("offset")), Number(entries.get("length"))];
  return Number.isSafeInteger(offset) && Number.isSafeInteger(length)
    ? { isBeside: true, offset, length }
    : null;
}

const textOf = (file: number, { start, value }: Field) => bytesAt(file, start!, value).toString();

/** A repeated number is one field for each, or all packed into one. */
function numbersOf(file: number, { value, start }: Field): number[] {
  if (start === null) return [value];
  const packed = bytesAt(file, start, value);
  const numbers: number[] = [];
  for (let at = 0; at < packed.length; ) {
    const { value: number, next } = readVarint(packed, at);
    numbers.push(number);
    at = next;
  }
  return numbers;
}

function* fieldsOf(file: number, from: number, to: number): Generator<Field> {
  let at = from;
  while (at < to) {
    const head = bytesAt(file, at, Math.min(HEAD_BYTES, to - at));
    const { value: key, next } = readVarint(head, 0);
    const number = key >>> 3;
    const type = key & 7;
    if (type === 0 || type === 2) {
      const { value, next: after } = readVarint(head, next);
      yield { number, value, start: type === 0 ? null : at + after };
      at += after + (type === 0 ? 0 : value);
    } else if (type === 1 || type === 5) at += next + (type === 1 ? 8 : 4);
    else throw new Error(`expected an ONNX graph, got a field of type ${type}`);
  }
}

function bytesAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (readSync(file, bytes, 0, length, position) < length)
    throw new Error("expected an ONNX graph, got a file that is cut off");
  return bytes;
}

function readVarint(bytes: Buffer, from: number): { value: number; next: number } {
  let value = 0;
  let scale = 1;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]!;
    value += (byte & 127) * scale;
    if (byte < 128) return { value, next: at + 1 };
    scale *= 128;
  }
  throw new Error("expected an ONNX graph, got a file that is cut off");
}
