/** Most work that a file may cause: about ten times the work for GPT-4's hundred thousand tokens. */
const MAX_STEPS = 60_000_000;

/** Finding a token's two parts would take too much work. */
export class TooManySteps extends Error {}

/**
 * The merges of a byte-pair encoding that has ranks instead: there, of all pairs side by side that join to a token,
 * the token of the lowest rank is joined first. Within a token's own text that leads to its two parts whatever
 * stands around it, since nothing is joined across its ends before. So one merge for each token says all; a token that
 * isn't reached from its own text is never joined at all.
 * @param ranks of the tokens by name, each rank once; one symbol is one character
 * @throws TooManySteps
 */
export function mergesOf(ranks: ReadonlyMap<string, number>): [string, string][] {
  const budget = { left: MAX_STEPS };
  const merges: { rank: number; pair: [string, string] }[] = [];
  for (const [token, rank] of ranks) {
    const pair = lastPair(token, ranks, budget);
    if (pair !== null) merges.push({ rank, pair });
  }
  return merges.sort((a, b) => a.rank - b.rank).map(({ pair }) => pair);
}

/** The two parts that are joined last; null if the token's text isn't joined to the token. */
function lastPair(
  token: string,
  ranks: ReadonlyMap<string, number>,
  budget: { left: number },
): [string, string] | null {
  const parts = Array.from(token);
  while (parts.length > 2) {
    budget.left -= parts.length + token.length;
    if (budget.left < 0) throw new TooManySteps();
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 1; i < parts.length; i++) {
      const rank = ranks.get(parts[i - 1]! + parts[i]!);
      if (rank === undefined || rank >= least) continue;
      least = rank;
      best = i;
    }
    if (best < 0) return null;
    parts.splice(best - 1, 2, parts[best - 1]! + parts[best]!);
  }
  return parts.length === 2 ? (parts as [string, string]) : null;
}
