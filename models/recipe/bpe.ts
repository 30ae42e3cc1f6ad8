import { BYTE_ALPHABET } from "../tokenizer/byte-alphabet.js";

/** The tokens that lay out a conversation; they are never split and take the first ids. */
export const SPECIAL_TOKENS = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"] as const;

/**
 * Cuts text into the pieces that merges stay within. A Hangul word of two syllables or more is cut before its
 * particle, so that a place keeps its tokens in `판교에서`, `판교는` and ` 판교`. The classes are plain ranges, because two
 * engines may have different versions of Unicode; the repeats are bounded, because a merge loop over one endless piece
 * is slow.
 */
export const PRE_TOKENIZER_PATTERN =
  " ?[가-힣]{2,16}?(?=(?:에서는|에서도|에서|에는|에도|에|은|는|을|를|으로)(?![가-힣]))" +
  "| ?[가-힣ㄱ-ㅎㅏ-ㅣ]{1,16}" +
  "| ?[A-Za-z]{1,16}" +
  "|[0-9]{1,3}" +
  "| ?[^ \\t\\r\\n가-힣ㄱ-ㅎㅏ-ㅣA-Za-z0-9]{1,16}" +
  "|[\\r\\n]{1,16}" +
  "|[ \\t]{1,16}";

export interface Vocabulary {
  /** Token texts in the byte alphabet; a token's id is its index. */
  tokens: string[];
  /** The pairs that merge, the most urgent first. */
  merges: [string, string][];
}

/**
 * Byte-level BPE: starts from the 256 bytes and merges the most frequent pair of neighbours until the vocabulary holds
 * `size` tokens or no pair occurs `minCount` times. Ties go to the pair with the smaller ids.
 */
export function trainBpe(text: string, size: number, minCount = 2): Vocabulary {
  const base = SPECIAL_TOKENS.length + BYTE_ALPHABET.length;
  if (!(size >= base)) throw new RangeError(`expected a vocabulary of at least ${base} tokens, got ${size}`);
  const tokens: string[] = [...SPECIAL_TOKENS, ...BYTE_ALPHABET];
  const merges: [string, string][] = [];
  const pieces = countPieces(text);
  const pairs = new PairIndex(size);
  pieces.forEach((piece, index) => {
    pairs.count(piece, index, 1);
  });
  while (tokens.length < size) {
    const best = pairs.mostFrequent(minCount);
    if (best === undefined) break;
    const [left, right] = [Math.floor(best / size), best % size];
    const merged = tokens.length;
    tokens.push((tokens[left] as string) + (tokens[right] as string));
    merges.push([tokens[left] as string, tokens[right] as string]);
    for (const index of pairs.piecesWith(best)) {
      const piece = pieces[index] as Piece;
      pairs.count(piece, index, -1);
      piece.ids = mergePair(piece.ids, left, right, merged);
      pairs.count(piece, index, 1);
    }
  }
  return { tokens, merges };
}

interface Piece {
  ids: number[];
  occurrences: number;
}

function countPieces(text: string): Piece[] {
  const occurrences = new Map<string, number>();
  const pattern = new RegExp(PRE_TOKENIZER_PATTERN, "gu");
  const special = new RegExp(SPECIAL_TOKENS.map((token) => token.replace(/[|]/g, "\\$&")).join("|"), "g");
  for (const segment of text.split(special)) {
    for (const [piece] of segment.matchAll(pattern))
      occurrences.set(piece, (occurrences.get(piece) ?? 0) + 1);
  }
  return [...occurrences].map(([piece, count]) => ({
    ids: Array.from(Buffer.from(piece, "utf8"), (byte) => SPECIAL_TOKENS.length + byte),
    occurrences: count,
  }));
}

function mergePair(ids: readonly number[], left: number, right: number, merged: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      result.push(merged);
      i++;
    } else {
      result.push(ids[i] as number);
    }
  }
  return result;
}

/** How often each pair of neighbours occurs, and in which pieces; a pair's key is `left * size + right`. */
class PairIndex {
  readonly #counts = new Map<number, number>();
  readonly #pieces = new Map<number, Set<number>>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  count(piece: Piece, index: number, sign: 1 | -1): void {
    for (let i = 0; i + 1 < piece.ids.length; i++) {
      const key = (piece.ids[i] as number) * this.#size + (piece.ids[i + 1] as number);
      const count = (this.#counts.get(key) ?? 0) + sign * piece.occurrences;
      if (count === 0) this.#counts.delete(key);
      else this.#counts.set(key, count);
      const pieces = this.#pieces.get(key);
      if (sign === -1) pieces?.delete(index);
      else if (pieces) pieces.add(index);
      else this.#pieces.set(key, new Set([index]));
    }
  }

  mostFrequent(minCount: number): number | undefined {
    let best: number | undefined;
    let bestCount = minCount - 1;
    for (const [key, count] of this.#counts) {
      if (count > bestCount || (count === bestCount && best !== undefined && key < best)) {
        best = key;
        bestCount = count;
      }
    }
    return best;
  }

  piecesWith(key: number): number[] {
    return [...(this.#pieces.get(key) ?? [])];
  }
}
