import type { Tokenizer } from "../../../models/tokenizer/tokenizer.js";
import { GrammarError } from "../nodes/error.js";
import type { Automaton } from "./automaton.js";
import type { State, Walk } from "./state.js";

/** All texts of a vocabulary, sorted by their bytes. */
interface Sorted {
  ids: Int32Array;
  bytes: Uint8Array;
  /** Where each text starts in `bytes`; one more than there are texts. */
  starts: Int32Array;
  /** How many bytes each has in common with the one before. */
  common: Int32Array;
  longest: number;
}

const nothing = new Uint8Array();

/** Cap on the work of one walk. A grammar that needs more would hold up the batch for milliseconds at each token. */
const MAX_WORK = 30_000;

/** The texts of a tokenizer's tokens, as grammars see them. */
export class Vocabulary {
  /** Whether every byte of UTF-8 is a token, so that all that a grammar allows can be written. */
  readonly complete: boolean;
  /** Words of the mask: a bit for each token that the model has a logit for. */
  readonly words: number;
  readonly #firstTexts: readonly Uint8Array[];
  readonly #laterTexts: readonly Uint8Array[];
  readonly #first: Sorted;
  readonly #later: Sorted;
  #walks = 0;

  /** @param size how many logits the model has */
  constructor(tokenizer: Tokenizer, size: number) {
    this.words = Math.ceil(size / 32);
    const count = Math.min(size, tokenizer.size);
    const text = (id: number, first: boolean) => tokenizer.tokenBytes(id, first).bytes ?? nothing;
    const later = Array.from({ length: count }, (_, id) => text(id, false));
    // A text's first token may be written differently only in its spaces.
    const first = later.map((bytes, id) => (bytes.includes(0x20) ? text(id, true) : bytes));
    this.#later = sorted(later);
    const isSame = first.every((bytes, id) => bytes === later[id] || Buffer.compare(bytes, later[id]!) === 0);
    this.#first = isSame ? this.#later : sorted(first);
    this.#laterTexts = later;
    this.#firstTexts = isSame ? later : first;
    const single = new Set(later.filter(({ length }) => length === 1).map((text) => text[0]!));
    this.complete = this.#first === this.#later && utf8Bytes().every((byte) => single.has(byte));
  }

  /** Whether the first token of a text is written otherwise than the same token later on. */
  get firstDiffers(): boolean {
    return this.#first !== this.#later;
  }

  /** The bytes that a token adds to a text; none for a token that is no text. */
  bytes(token: number, first: boolean): Uint8Array {
    return (first ? this.#firstTexts : this.#laterTexts)[token] ?? nothing;
  }

  /**
   * Finds the tokens whose text can come next. Tokens without a text never do, nor those that lead to a state of
   * `dead`.
   * @throws GrammarError if that is too much work. That depends on the grammar and the state alone, not on what other
   * walks left behind: what a sequence may write must not depend on its neighbours.
   */
  walk(automaton: Automaton, state: State, first: boolean, dead?: ReadonlySet<State>): Walk {
    const { ids, bytes, starts, common, longest } = first ? this.#first : this.#later;
    const { classes } = automaton;
    const mask = new Int32Array(this.words);
    const states = new Set<State>();
    const path: State[] = new Array(longest + 1);
    path[0] = state;
    const walk = ++this.#walks;
    let work = 0;
    // How many bytes of the text before could be read; the states up to there are in `path`.
    let read = 0;
    for (let i = 0; i < ids.length; i++) {
      const start = starts[i]!;
      const length = starts[i + 1]! - start;
      let depth = common[i]!;
      if (depth > read) continue;
      for (; depth < length; depth++) {
        const from = path[depth]!;
        const byte = bytes[start + depth]!;
        const to = automaton.step(from, byte);
        const kind = classes[byte]!;
        if (from.counted[kind] !== walk) {
          from.counted[kind] = walk;
          work += from.work[kind]!;
          if (work > MAX_WORK)
            throw new GrammarError("expected a simpler grammar, got one that takes too long to follow");
        }
        if (to === null) break;
        path[depth + 1] = to;
      }
      read = depth;
      if (depth < length || dead?.has(path[length]!)) continue;
      const id = ids[i]!;
      mask[id >> 5]! |= 1 << (id & 31);
      states.add(path[length]!);
    }
    return { mask, states: [...states] };
  }
}

function sorted(all: readonly Uint8Array[]): Sorted {
  // Strings of bytes compare several times as fast as arrays of them.
  const joined = Buffer.concat(all).toString("latin1");
  let end = 0;
  const keys = all.map(({ length }) => {
    end += length;
    return joined.slice(end - length, end);
  });
  const ids = Int32Array.from(all.keys())
    .filter((id) => keys[id] !== "")
    .sort((a, b) => (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : a - b));
  const starts = new Int32Array(ids.length + 1);
  const common = new Int32Array(ids.length);
  const bytes = Buffer.concat(Array.from(ids, (id) => all[id]!));
  let longest = 0;
  for (const [i, id] of ids.entries()) {
    const text = all[id]!;
    const before = i === 0 ? text.subarray(0, 0) : all[ids[i - 1]!]!;
    starts[i + 1] = starts[i]! + text.length;
    longest = Math.max(longest, text.length);
    let same = 0;
    while (same < before.length && before[same] === text[same]) same++;
    common[i] = same;
  }
  return { ids, bytes, starts, common, longest };
}

/** The bytes that can occur in UTF-8. */
function utf8Bytes(): number[] {
  return Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => byte !== 0xc0 && byte !== 0xc1 && byte < 0xf5,
  );
}
