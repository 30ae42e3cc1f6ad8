import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ModelError } from "./files/error.js";

/** A weight of a graph file. */
export interface GraphWeight {
  name: string;
  dims: number[];
}

/** Field numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_DIMS = 1;
const TENSOR_NAME = 8;

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

function weightOf(file: number, fields: readonly Field[]): GraphWeight {
  const name = fields.find(({ number }) => number === TENSOR_NAME);
  const dims = fields
    .filter(({ number }) => number === TENSOR_DIMS)
    .flatMap((field) => numbersOf(file, field));
  return { name: name === undefined ? "" : bytesAt(file, name.start!, name.value).toString(), dims };
}

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
