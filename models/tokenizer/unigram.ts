import { type Fields, isFields } from "../files/fields.js";
import { prepareByteFallback } from "./byte-fallback.js";
import type { Extension } from "./extension.js";
import { expect } from "./vocabulary.js";

/** Bounds the time that a prompt takes: at each of its characters, a token may be that long. */
const MAX_TOKEN_CHARS = 512;
/** What an unknown character scores less than the worst token. */
const UNKNOWN_PENALTY = 10;

/** Tokens that begin alike share their first nodes. */
class Node {
  readonly next = new Map<number, Node>();
  id = -1;
}

/** Tokens and their ids, of a Unigram model's list of tokens and scores. @throws ModelError if it is malformed */
export function parseScores(vocab: unknown): { vocabulary: Map<string, number>; scores: Float64Array } {
  expect(
    Array.isArray(vocab) && vocab.length > 0 && vocab.length < 2 ** 24,
    "a list of tokens and scores",
    vocab,
  );
  const vocabulary = new Map<string, number>();
  const scores = new Float64Array(vocab.length);
  for (const [id, entry] of vocab.entries()) {
    const [token, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    expect(
      typeof token === "string" && typeof score === "number",
      `a token and its score as entry ${id}`,
      entry,
    );
    expect(token.length <= MAX_TOKEN_CHARS, `a token of up to ${MAX_TOKEN_CHARS} characters`, token);
    expect(!vocabulary.has(token), "each token once", token);
    vocabulary.set(token, id);
    scores[id] = score;
  }
  return { vocabulary, scores };
}

/**
 * Encodes a word as the tokens whose scores add up to the most.
 * @throws ModelError if the model is malformed
 */
export function prepareUnigram(
  model: Fields,
  { vocabulary, scores }: ReturnType<typeof parseScores>,
  { unreachable, singlePrecision }: Extension,
): (word: string) => string[] {
  expect(isFields(model), "a model", model);
  const { unk_id: unknownId } = model;
  const names = [...vocabulary.keys()];
  const hasUnknown = typeof unknownId === "number" && names[unknownId] !== undefined;
  expect(hasUnknown, "the id of a token for unk_id", unknownId);
  const fallback = prepareByteFallback(model.byte_fallback, vocabulary);
  const root = trieOf(names.map((name) => (unreachable.has(name) || name === "" ? null : name)));
  const least = scores.reduce((low, score) => Math.min(low, score), Number.POSITIVE_INFINITY);
  const unknownScore = singlePrecision ? Math.fround(least - UNKNOWN_PENALTY) : least - UNKNOWN_PENALTY;
  const round = singlePrecision ? Math.fround : (score: number) => score;
  const isKnown = (piece: string) => vocabulary.has(piece) && !unreachable.has(piece);

  return (word) =>
    bestPath(word, { root, scores, unknownId, unknownScore, round }).flatMap((piece) => {
      if (isKnown(piece)) return [piece];
      return fallback ? fallback(piece) : [names[unknownId]!];
    });
}

function trieOf(names: readonly (string | null)[]): Node {
  const root = new Node();
  for (const [id, name] of names.entries()) {
    if (name === null) continue;
    let node = root;
    for (let at = 0; at < name.length; at++) {
      const code = name.charCodeAt(at);
      let next = node.next.get(code);
      if (next === undefined) {
        next = new Node();
        node.next.set(code, next);
      }
      node = next;
    }
    node.id = id;
  }
  return root;
}

interface Scoring {
  root: Node;
  scores: Float64Array;
  unknownId: number;
  unknownScore: number;
  /** How a sum is kept. */
  round(score: number): number;
}

/** The pieces of the best path; unknown characters side by side are one piece. Of two equal paths, the first found. */
function bestPath(word: string, { root, scores, unknownId, unknownScore, round }: Scoring): string[] {
  const best = new Float64Array(word.length + 1);
  const starts = new Int32Array(word.length + 1).fill(-1);
  const ids = new Int32Array(word.length + 1);
  const reach = (start: number, end: number, id: number, score: number) => {
    // Compared before it is rounded, as by SentencePiece up to 0.2.1; later ones decide some ties otherwise.
    const sum = score + best[start]!;
    if (starts[end] !== -1 && !(sum > best[end]!)) return;
    best[end] = round(sum);
    starts[end] = start;
    ids[end] = id;
  };
  for (let start = 0; start < word.length; ) {
    const width = word.codePointAt(start)! > 0xffff ? 2 : 1;
    let single = false;
    let node: Node | undefined = root;
    for (let at = start; at < word.length; ) {
      node = node.next.get(word.charCodeAt(at++));
      if (node === undefined) break;
      if (node.id < 0) continue;
      reach(start, at, node.id, scores[node.id]!);
      if (at - start === width) single = true;
    }
    if (!single) reach(start, start + width, unknownId, unknownScore);
    start += width;
  }
  const pieces: string[] = [];
  let unknownEnd = -1;
  for (let end = word.length; end > 0; end = starts[end]!) {
    const start = starts[end]!;
    if (ids[end] === unknownId) {
      if (unknownEnd < 0) unknownEnd = end;
      else pieces.pop();
      pieces.push(word.slice(start, unknownEnd));
    } else {
      unknownEnd = -1;
      pieces.push(word.slice(start, end));
    }
  }
  return pieces.reverse();
}
