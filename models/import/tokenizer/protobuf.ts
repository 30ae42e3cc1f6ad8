import { ImportError } from "../checkpoint/error.js";

/** A field's value: an integer, four or eight bytes, or a text, bytes or a message of its own. */
export type FieldValue = number | Buffer;

/**
 * The fields of a message of protobuf's wire format, in their order. Nothing nests here: a caller reads an inner
 * message when it wants to, so a file's depth costs nothing.
 * @throws ImportError where the bytes end too early or are none of the format
 */
export function* protobufFields(file: string, bytes: Buffer): Generator<[field: number, value: FieldValue]> {
  const reader = new Reader(file, bytes);
  while (!reader.atEnd) {
    const tag = reader.integer();
    const field = Math.floor(tag / 8);
    if (field === 0) throw reader.error("a field 0");
    switch (tag % 8) {
      case 0:
        yield [field, reader.integer()];
        break;
      case 1:
        yield [field, reader.take(8)];
        break;
      case 2:
        yield [field, reader.take(reader.integer())];
        break;
      case 5:
        yield [field, reader.take(4)];
        break;
      default:
        throw reader.error(`a value of wire type ${tag % 8}`);
    }
  }
}

class Reader {
  readonly #file: string;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(file: string, bytes: Buffer) {
    this.#file = file;
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** A varint. Past 2^53 it is rounded: those are negative numbers, which no field here has. */
  integer(): number {
    let value = 0;
    for (let shift = 0; shift < 10; shift++) {
      const [byte] = this.take(1) as unknown as [number];
      value += (byte & 0x7f) * 2 ** (7 * shift);
      if (byte < 0x80) return value;
    }
    throw this.error("an integer of more than 10 bytes");
  }

  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw this.error("an end too early");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  error(got: string): ImportError {
    return new ImportError(
      this.#file,
      `expected a SentencePiece model, got ${got} at byte ${this.#at}; is the file whole?`,
    );
  }
}
