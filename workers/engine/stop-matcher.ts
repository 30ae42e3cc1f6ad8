/**
 * Finds stop strings in a text that comes piece by piece, by the method of Knuth, Morris and Pratt: a character costs
 * the same however long the text and the strings are.
 */
export class StopMatcher {
  readonly #patterns: Pattern[];
  #length = 0;

  constructor(stops: readonly string[]) {
    this.#patterns = stops.map((stop) => ({ stop, borders: bordersOf(stop), matched: 0 }));
  }

  /** How many characters at the end of the text may be the beginning of a stop string. */
  get held(): number {
    let held = 0;
    for (const { matched } of this.#patterns) held = Math.max(held, matched);
    return held;
  }

  /** Where in the text the first stop string begins that `piece` completes; null if it completes none. */
  push(piece: string): number | null {
    let first: number | null = null;
    for (const pattern of this.#patterns) {
      const end = advance(pattern, piece);
      if (end === null) continue;
      const begin = this.#length + end - pattern.stop.length;
      if (first === null || begin < first) first = begin;
    }
    this.#length += piece.length;
    return first;
  }

  /** Reads a piece in which complete stop strings don't count. A later piece may complete one that begins in it. */
  pass(piece: string): void {
    for (const pattern of this.#patterns) {
      let rest = piece;
      for (let end = advance(pattern, rest); end !== null; end = advance(pattern, rest)) {
        rest = rest.slice(end);
        pattern.matched = pattern.borders[pattern.stop.length]!;
      }
    }
    this.#length += piece.length;
  }
}

interface Pattern {
  stop: string;
  /** For each length of a beginning of `stop`: the longest shorter beginning that it ends with. */
  borders: readonly number[];
  /** The longest beginning of `stop` that the text ends with. */
  matched: number;
}

function bordersOf(stop: string): number[] {
  const borders = [0, 0];
  for (let i = 1, matched = 0; i < stop.length; i++) {
    while (matched > 0 && stop[i] !== stop[matched]) matched = borders[matched]!;
    if (stop[i] === stop[matched]) matched++;
    borders.push(matched);
  }
  return borders;
}

/** Reads a piece up to where the pattern is complete; returns that place in the piece, or null. */
function advance(pattern: Pattern, piece: string): number | null {
  const { stop, borders } = pattern;
  for (let i = 0; i < piece.length; i++) {
    while (pattern.matched > 0 && piece[i] !== stop[pattern.matched])
      pattern.matched = borders[pattern.matched]!;
    if (piece[i] === stop[pattern.matched]) pattern.matched++;
    if (pattern.matched === stop.length) return i + 1;
  }
  return null;
}
