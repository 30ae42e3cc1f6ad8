import { ModelError } from "../errors.js";
import { type Fields, isFields, oneOf, shown } from "../fields.js";

/** Words longer than this are rare and seldom come back; the rest are worth remembering. */
const CACHED_LENGTH = 64;
const CACHE_SIZE = 10_000;

/**
 * Byte-pair encoding: splits a word into characters, then joins the neighbours that training joined first, until none is
 * left that it joined.
 */
export class Bpe {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly #unkId: number | null;
  readonly #fuseUnk: boolean;
  readonly #ignoreMerges: boolean;
  readonly #prefix: string;
  readonly #suffix: string;
  /** The ids of `<0x00>` to `<0xFF>`, where unknown characters fall back to their bytes. */
  readonly #byteIds: readonly (number | undefined)[] | null;
  /** A pair of ids, as `left * stride + right`, to the pair's rank. */
  readonly #ranks = new Map<number, number>();
  readonly #stride: number;
  /** By rank: what the pair becomes. */
  readonly #merged: number[] = [];
  readonly #cache = new Map<string, readonly number[]>();

  /** @throws ModelError if `model`, tokenizer.json's part of that name, does not add up */
  constructor(model: Fields) {
    this.vocabulary = parseVocabulary(model.vocab);
    if (model.dropout != null && model.dropout !== 0)
      throw new ModelError(
        `tokenizer.json: expected no dropout, which makes ids random, got ${shown(model.dropout)}`,
      );
    this.#fuseUnk = flag(model, "fuse_unk");
    this.#ignoreMerges = flag(model, "ignore_merges");
    this.#prefix = text(model, "continuing_subword_prefix");
    this.#suffix = text(model, "end_of_word_suffix");
    const unk = text(model, "unk_token");
    this.#unkId = unk === "" ? null : this.#id(unk, "unk_token");
    this.#byteIds = flag(model, "byte_fallback")
      ? Array.from({ length: 256 }, (_, byte) =>
          this.vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
        )
      : null;
    this.#stride = Math.max(...[...this.vocabulary.values()].map((id) => id + 1), 1);
    this.#readMerges(model.merges);
  }

  /** Ids of one word; characters that neither the vocabulary nor an unknown token covers are left out. */
  encode(word: string): readonly number[] {
    if (this.#ignoreMerges) {
      const id = this.vocabulary.get(word);
      if (id !== undefined) return [id];
    }
    const known = this.#cache.get(word);
    if (known !== undefined) return known;
    const ids = this.#merge(this.#characters(word));
    if (word.length <= CACHED_LENGTH) {
      if (this.#cache.size >= CACHE_SIZE) this.#cache.clear();
      this.#cache.set(word, ids);
    }
    return ids;
  }

  #readMerges(merges: unknown): void {
    if (!Array.isArray(merges))
      throw new ModelError(`tokenizer.json: expected a list of merges, got ${shown(merges)}`);
    for (const [rank, merge] of merges.entries()) {
      const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
      if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((part) => typeof part === "string"))
        throw new ModelError(`tokenizer.json: expected two tokens in merge ${rank}, got ${shown(merge)}`);
      const [left, right] = pair as [string, string];
      if (!right.startsWith(this.#prefix))
        throw new ModelError(
          `tokenizer.json: expected the prefix ${shown(this.#prefix)} in merge ${rank}, got ${shown(right)}`,
        );
      const where = `merge ${rank}`;
      this.#ranks.set(this.#id(left, where) * this.#stride + this.#id(right, where), rank);
      this.#merged.push(this.#id(left + right.slice(this.#prefix.length), where));
    }
  }

  #id(token: string, where: string): number {
    const id = this.vocabulary.get(token);
    if (id === undefined)
      throw new ModelError(
        `tokenizer.json: expected a token of the vocabulary for ${where}, got ${shown(token)}`,
      );
    return id;
  }

  #characters(word: string): number[] {
    const ids: number[] = [];
    const characters = Array.from(word);
    // An unknown token waits until the next known character, as it may yet swallow its neighbours.
    let unkWaits = false;
    for (const [i, character] of characters.entries()) {
      const token =
        (i > 0 ? this.#prefix : "") + character + (i === characters.length - 1 ? this.#suffix : "");
      const id = this.vocabulary.get(token);
      if (id !== undefined) {
        if (unkWaits) ids.push(this.#unkId!);
        unkWaits = false;
        ids.push(id);
        continue;
      }
      if (this.#byteIds !== null) {
        const bytes = Array.from(Buffer.from(token), (byte) => this.#byteIds![byte]);
        if (bytes.every((byte) => byte !== undefined)) {
          ids.push(...bytes);
          continue;
        }
      }
      if (this.#unkId === null) continue;
      if (unkWaits && !this.#fuseUnk) ids.push(this.#unkId);
      unkWaits = true;
    }
    if (unkWaits) ids.push(this.#unkId!);
    return ids;
  }

  /** In O(n log n), as a word can be a whole prompt. Joins in `ids`, whose joined neighbours are linked past. */
  #merge(ids: number[]): readonly number[] {
    const count = ids.length;
    const next = ids.map((_, i) => i + 1);
    const previous = ids.map((_, i) => i - 1);
    const joined = new Uint8Array(count);
    // Lowest rank first, then leftmost, both in one number.
    const candidates: number[] = [];
    const offer = (left: number) => {
      const right = next[left]!;
      if (right >= count) return;
      const rank = this.#ranks.get(ids[left]! * this.#stride + ids[right]!);
      if (rank !== undefined) pushLeast(candidates, rank * count + left);
    };
    for (let i = 0; i < count; i++) offer(i);
    while (candidates.length > 0) {
      const candidate = popLeast(candidates);
      const left = candidate % count;
      const right = next[left]!;
      if (joined[left] === 1 || right >= count) continue;
      // Either side may have been joined with another neighbour since this was offered.
      const rank = this.#ranks.get(ids[left]! * this.#stride + ids[right]!);
      const merged = this.#merged[(candidate - left) / count]!;
      if (rank === undefined || this.#merged[rank] !== merged) continue;
      ids[left] = merged;
      joined[right] = 1;
      next[left] = next[right]!;
      if (next[left]! < count) previous[next[left]!] = left;
      if (previous[left]! >= 0) offer(previous[left]!);
      offer(left);
    }
    return ids.filter((_, i) => joined[i] === 0);
  }
}

function parseVocabulary(vocab: unknown): Map<string, number> {
  if (!isFields(vocab)) throw new ModelError(`tokenizer.json: expected a vocabulary, got ${shown(vocab)}`);
  const tokens = Object.entries(vocab);
  const taken = new Map<number, string>();
  for (const [token, id] of tokens) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= 2 ** 24)
      throw new ModelError(
        `tokenizer.json: expected an id from 0 to 2^24 for ${shown(token)}, got ${shown(id)}`,
      );
    const other = taken.get(id);
    if (other !== undefined)
      throw new ModelError(
        `tokenizer.json: expected an id of its own for ${shown(token)}, got that of ${shown(other)}`,
      );
    taken.set(id, token);
  }
  return new Map(tokens as [string, number][]);
}

function flag(model: Fields, name: string): boolean {
  return oneOf("tokenizer.json", model, name, [true, false, null, undefined]) ?? false;
}

function text(model: Fields, name: string): string {
  const value = model[name] ?? "";
  if (typeof value !== "string")
    throw new ModelError(`tokenizer.json: expected text or null for ${name}, got ${shown(value)}`);
  return value;
}

function pushLeast(heap: number[], value: number): void {
  let i = heap.length;
  heap.push(value);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent]! <= value) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = value;
}

function popLeast(heap: number[]): number {
  const least = heap[0]!;
  const last = heap.pop()!;
  const count = heap.length;
  if (count === 0) return least;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= count) break;
    if (child + 1 < count && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return least;
}
