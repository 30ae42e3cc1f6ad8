import { free } from "../free.js";
import type { ModelWeights } from "../weights.js";
import { attend } from "./attention.js";
import { mlp } from "./mlp.js";
import { linear, normalized, sum } from "./pieces.js";

/**
 * The model in plain arithmetic, straight from the checkpoint's tensors: slow, and sharing nothing with the graph that
 * it checks. Sums are taken in float64.
 * @param ids at most as many as the context holds
 * @returns logits after each of the last `positions` ids, the last one last
 */
export async function forward(
  weights: ModelWeights,
  ids: readonly number[],
  positions: number,
  onProgress: (share: number) => void = () => {},
): Promise<Float32Array[]> {
  const { architecture, sizes } = weights;
  const norm = normalized(architecture.norm, weights.epsilon);
  let rows = await embedded(weights, ids);
  if (architecture.embedding_norm) rows = await norm(rows, { weight: null, bias: null });
  for (const [index, layer] of weights.layers.entries()) {
    const attended = await attend(await norm(rows, layer.ln1), index, layer, weights);
    const between = sum(rows, attended);
    const input = await norm(architecture.parallel_residual ? rows : between, layer.ln2);
    rows = sum(between, await mlp(input, layer, architecture));
    onProgress((index + 1) / sizes.layers);
  }
  const last = await norm(rows.slice(-positions), weights.finalNorm);
  const logits = await linear(last, weights.head);
  const { final_logit_softcapping: cap } = architecture;
  return logits.map((row) =>
    Float32Array.from(row, (logit) => (cap === null ? logit : cap * Math.tanh(logit / cap))),
  );
}

async function embedded({ tokens, positions, sizes }: ModelWeights, ids: readonly number[]) {
  const { width } = sizes;
  const tokenTable = await tokens.read();
  const positionTable = await positions?.read();
  const rows = ids.map((id, position) =>
    Float64Array.from(
      { length: width },
      (_, i) => tokenTable[id * width + i]! + (positionTable?.[position * width + i] ?? 0),
    ),
  );
  free(tokenTable);
  return rows;
}
