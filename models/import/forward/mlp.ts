import type { Activation, Architecture } from "../../architecture.js";
import type { LayerWeights } from "../weights.js";
import { linear, type Rows } from "./pieces.js";

export async function mlp(
  rows: Rows,
  { fc, mlpProj }: LayerWeights,
  { activation, gated_mlp }: Architecture,
): Promise<Rows> {
  const activate = activations[activation];
  const inner = await linear(rows, fc);
  const hidden = mlpProj.weight.shape[1]!;
  return linear(
    inner.map((row) => {
      const active = row.subarray(0, hidden).map(activate);
      return gated_mlp ? active.map((value, i) => value * row[hidden + i]!) : active;
    }),
    mlpProj,
  );
}

const activations: Record<Activation, (x: number) => number> = {
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
  relu: (x) => Math.max(x, 0),
  relu2: (x) => Math.max(x, 0) ** 2,
};

/** Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: off by at most 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const polynomial =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const magnitude = 1 - polynomial * Math.exp(-x * x);
  return x < 0 ? -magnitude : magnitude;
}
