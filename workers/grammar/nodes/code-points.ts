import type { Node, Nodes } from "./node.js";

/** Code points from the first to the last, both included. */
export type Range = readonly [first: number, last: number];

const MAX = 0x10ffff;

/** In order, without overlaps, and without surrogates, which no text has. */
export function normalized(ranges: readonly Range[]): Range[] {
  const result: [number, number][] = [];
  const whole = ranges.flatMap(([first, last]): Range[] => [
    [first, Math.min(last, 0xd7ff)],
    [Math.max(first, 0xe000), Math.min(last, MAX)],
  ]);
  for (const [first, last] of whole.filter(([a, b]) => a <= b).sort(([a], [b]) => a - b)) {
    const previous = result.at(-1);
    if (previous && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else result.push([first, last]);
  }
  return result;
}

export function complement(ranges: readonly Range[]): Range[] {
  let next = 0;
  const gaps: Range[] = [];
  for (const [first, last] of normalized(ranges)) {
    gaps.push([next, first - 1]);
    next = last + 1;
  }
  return normalized([...gaps, [next, MAX]]);
}

export function without(ranges: readonly Range[], removed: readonly Range[]): Range[] {
  return complement([...complement(ranges), ...removed]);
}

/** Any one of the characters, in UTF-8. */
export function characters(nodes: Nodes, ranges: readonly Range[]): Node {
  const [only, another] = ranges;
  if (only && !another && only[0] === only[1] && !(only[0] >= 0xd800 && only[0] < 0xe000))
    return nodes.text(String.fromCodePoint(only[0]));
  return nodes.choice(...normalized(ranges).flatMap(([first, last]) => spans(nodes, first, last)));
}

/**
 * A range of characters as sequences of byte ranges. It is split where the length in UTF-8 changes, and where later
 * bytes don't have their full range.
 */
function spans(nodes: Nodes, first: number, last: number): Node[] {
  for (const limit of [0x7f, 0x7ff, 0xffff])
    if (first <= limit && last > limit)
      return [...spans(nodes, first, limit), ...spans(nodes, limit + 1, last)];
  if (last <= 0x7f) return [nodes.bytes([first, last])];
  for (const bits of [6, 12, 18]) {
    const mask = (1 << bits) - 1;
    if (first >> bits === last >> bits) break;
    if ((first & mask) !== 0)
      return [...spans(nodes, first, first | mask), ...spans(nodes, (first | mask) + 1, last)];
    if ((last & mask) !== mask)
      return [...spans(nodes, first, (last & ~mask) - 1), ...spans(nodes, last & ~mask, last)];
  }
  const low = Buffer.from(String.fromCodePoint(first));
  const high = Buffer.from(String.fromCodePoint(last));
  return [nodes.sequence(...Array.from(low, (byte, i) => nodes.bytes([byte, high[i]!])))];
}
