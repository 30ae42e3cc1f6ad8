import { LOGIT_BLOCK } from "../../../models/shape.js";

/** Past it a float32 is infinite. */
const GREATEST_LOGIT = 3.4e38;

/** One row of the model's output. */
export interface Row {
  /** float32 [vocabulary] */
  logits: Float32Array;
  /**
   * float32 [vocabulary / LOGIT_BLOCK rounded up], the greatest logit of each block: most blocks hold none of the likely
   * tokens, and the graph finds that out faster than a loop here.
   */
  maxima: Float32Array;
}

/** A copy of a row that may be changed; its maxima are kept up to date. */
export class LogitRow implements Row {
  readonly logits: Float32Array;
  readonly maxima: Float32Array;

  constructor(vocabulary: number) {
    this.logits = new Float32Array(vocabulary);
    this.maxima = new Float32Array(Math.ceil(vocabulary / LOGIT_BLOCK));
  }

  load({ logits, maxima }: Row): void {
    this.logits.set(logits);
    this.maxima.set(maxima);
  }

  /**
   * Copies a row and rules out the tokens whose bit is not set.
   * @param allowed int32 [vocabulary / 32 rounded up]; a block of logits is a word of it
   * @throws when none is left
   */
  loadAllowed(row: Row, allowed: Int32Array): void {
    this.load(row);
    for (let block = 0; block < this.maxima.length; block++) {
      const word = allowed[block]!;
      if (word === -1) continue;
      // Only the kind that a block has fewer of is looked at one by one.
      if (bitCount(word) < LOGIT_BLOCK / 2) this.#admit(block, word, row.logits);
      else this.#exclude(block, ~word);
    }
    if (this.#empty) throw new Error("no token can continue this text in the form that was asked for");
  }

  /** Changes the logit of a token that has not been ruled out; it stays finite. */
  set(token: number, logit: number): void {
    if (this.logits[token] === Number.NEGATIVE_INFINITY) return;
    this.#put(token, Math.max(-GREATEST_LOGIT, Math.min(GREATEST_LOGIT, logit)));
  }

  /** Rules out tokens, if another is left. */
  withhold(tokens: readonly number[]): void {
    const logits = tokens.map((token) => this.logits[token]!);
    for (const token of tokens) this.#put(token, Number.NEGATIVE_INFINITY);
    if (this.#empty) for (const [index, token] of tokens.entries()) this.#put(token, logits[index]!);
  }

  /** Rules out all tokens of a block but those whose bits are in `some`. */
  #admit(block: number, some: number, from: Float32Array): void {
    const { logits } = this;
    const start = block * LOGIT_BLOCK;
    const end = Math.min(start + LOGIT_BLOCK, logits.length);
    let greatest = Number.NEGATIVE_INFINITY;
    for (let token = start; token < end; token++) logits[token] = greatest;
    for (let bits = some; bits !== 0; bits &= bits - 1) {
      const token = start + lowestBit(bits);
      // Bits past the vocabulary mean nothing.
      if (token >= end) break;
      const logit = from[token]!;
      logits[token] = logit;
      if (logit > greatest) greatest = logit;
    }
    this.maxima[block] = greatest;
  }

  /** Rules out the tokens of a block whose bits are in `some`. */
  #exclude(block: number, some: number): void {
    const { logits, maxima } = this;
    const start = block * LOGIT_BLOCK;
    const greatest = maxima[block]!;
    let stands = true;
    for (let bits = some; bits !== 0; bits &= bits - 1) {
      const token = start + lowestBit(bits);
      if (token >= logits.length) break;
      if (logits[token] === greatest) stands = false;
      logits[token] = Number.NEGATIVE_INFINITY;
    }
    if (!stands) maxima[block] = this.#greatest(block);
  }

  get #empty(): boolean {
    return this.maxima.every((maximum) => maximum === Number.NEGATIVE_INFINITY);
  }

  #put(token: number, logit: number): void {
    const { logits, maxima } = this;
    const block = Math.floor(token / LOGIT_BLOCK);
    const before = logits[token]!;
    logits[token] = logit;
    const after = logits[token]!;
    if (after >= maxima[block]!) maxima[block] = after;
    else if (before === maxima[block]) maxima[block] = this.#greatest(block);
  }

  #greatest(block: number): number {
    const { logits } = this;
    const end = Math.min((block + 1) * LOGIT_BLOCK, logits.length);
    let greatest = Number.NEGATIVE_INFINITY;
    for (let token = block * LOGIT_BLOCK; token < end; token++) {
      if (logits[token]! > greatest) greatest = logits[token]!;
    }
    return greatest;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function bitCount(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * The first of the tokens with the greatest logit.
 * @throws when that is no finite number
 */
export function mostLikely({ logits, maxima }: Row): number {
  let block = 0;
  for (let i = 1; i < maxima.length; i++) if (maxima[i]! > maxima[block]!) block = i;
  const start = block * LOGIT_BLOCK;
  const token = logits.subarray(start, start + LOGIT_BLOCK).indexOf(maxima[block]!);
  // A NaN isn't found. An infinity is as wrong.
  if (token < 0 || !Number.isFinite(maxima[block]!)) throw damaged();
  return start + token;
}

export function damaged(): Error {
  return new Error("the model's logits are not numbers: its weights are damaged");
}
