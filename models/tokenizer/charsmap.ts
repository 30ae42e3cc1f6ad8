import { expect } from "./vocabulary.js";

/** More than any normalization form needs: U+FDFA becomes 18 characters, of 33 bytes. */
const MAX_REPLACEMENT_BYTES = 256;

const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Texts in UTF-8 by their first byte, the longest first. */
export type KeptTexts = ReadonlyMap<number, readonly Buffer[]>;

export function keptTexts(texts: readonly string[]): KeptTexts {
  const kept = new Map<number, Buffer[]>();
  for (const bytes of texts.map((text) => Buffer.from(text)).sort((a, b) => b.length - a.length))
    kept.set(bytes[0]!, [...(kept.get(bytes[0]!) ?? []), bytes]);
  return kept;
}

/**
 * SentencePiece's precompiled table of replacements: the byte length of a double-array trie, the trie, and the
 * replacements, each ended by a zero byte.
 */
export class Charsmap {
  readonly #units: Uint32Array;
  readonly #replacements: Buffer;

  /** @throws ModelError if it is malformed */
  constructor(bytes: Buffer) {
    const size = bytes.length >= 4 ? bytes.readUInt32LE(0) : 0;
    expect(
      size > 0 && size % 4 === 0 && size <= bytes.length - 4,
      "a precompiled_charsmap of a trie and replacements",
      `${bytes.length} bytes`,
    );
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => bytes.readUInt32LE(4 + 4 * i));
    this.#replacements = bytes.subarray(4 + size);
    let start = 0;
    for (let end = this.#replacements.indexOf(0); start < this.#replacements.length; ) {
      const stop = end < 0 ? this.#replacements.length : end;
      const fits = stop - start <= MAX_REPLACEMENT_BYTES;
      expect(
        fits,
        `replacements of up to ${MAX_REPLACEMENT_BYTES} bytes in precompiled_charsmap`,
        stop - start,
      );
      start = stop + 1;
      end = this.#replacements.indexOf(0, start);
    }
  }

  /** As SentencePiece normalizes: at each place the longest match, or one of the texts that are kept as they are. */
  normalizeLongest(text: string, kept: KeptTexts = new Map()): string {
    const bytes = Buffer.from(text);
    const parts: Buffer[] = [];
    let copied = 0;
    for (let at = 0; at < bytes.length; ) {
      const same = kept.get(bytes[at]!)?.find((one) => one.equals(bytes.subarray(at, at + one.length)));
      if (same !== undefined) {
        at += same.length;
        continue;
      }
      const match = this.#find(bytes, at, bytes.length, true);
      if (match === null) {
        at += characterLength(bytes[at]!);
        continue;
      }
      parts.push(bytes.subarray(copied, at), match.replacement);
      at += match.length;
      copied = at;
    }
    parts.push(bytes.subarray(copied));
    return this.#text(Buffer.concat(parts));
  }

  /**
   * As the Rust library normalizes: a short grapheme becomes what its shortest match becomes, and else each of its
   * characters does.
   */
  normalizeGraphemes(text: string): string {
    let normalized = "";
    for (const { segment } of segmenter.segment(text)) {
      const bytes = Buffer.from(segment);
      const whole = bytes.length < 6 ? this.#find(bytes, 0, bytes.length, false) : null;
      if (whole) normalized += this.#text(whole.replacement);
      else
        for (const character of segment) {
          const one = Buffer.from(character);
          const match = this.#find(one, 0, one.length, false);
          normalized += match ? this.#text(match.replacement) : character;
        }
    }
    return normalized;
  }

  #text(bytes: Buffer): string {
    try {
      return strictUtf8.decode(bytes);
    } catch {
      expect(
        false,
        "replacements in UTF-8 in precompiled_charsmap",
        `bytes ${bytes.subarray(0, 8).toString("hex")}`,
      );
    }
  }

  /** The first or the longest key that `bytes` has at `from`. */
  #find(
    bytes: Buffer,
    from: number,
    end: number,
    longest: boolean,
  ): { length: number; replacement: Buffer } | null {
    const units = this.#units;
    let found: { length: number; value: number } | null = null;
    let node = offsetOf(units[0]!);
    for (let at = from; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === 0) break;
      node ^= byte;
      const unit = units[node];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) break;
      node ^= offsetOf(unit);
      if ((unit >>> 8) & 1) found = { length: at + 1 - from, value: (units[node] ?? 0) & 0x7fffffff };
      if (found && !longest) break;
    }
    if (found === null) return null;
    const stop = this.#replacements.indexOf(0, found.value);
    return {
      length: found.length,
      replacement: this.#replacements.subarray(found.value, stop < 0 ? undefined : stop),
    };
  }
}

/** Where a unit's children are, relative to it. */
function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

function characterLength(lead: number): number {
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}
