import type { Rotary, RotaryScaling } from "../../architecture.js";
import type { Settings } from "./settings.js";

/**
 * Reads the angles of a Hugging Face config: `rope_theta` and `rope_scaling` of before version 5, `rope_parameters` since.
 * @param part the share of a head that is turned, where the config doesn't say
 */
export function readRotary(settings: Settings, headDim: number, part: number): Rotary {
  const parameters = settings.inner("rope_parameters");
  const scaling = parameters ?? settings.inner("rope_scaling");
  const holding = (key: string) => (parameters?.has(key) ? parameters : settings);
  const theta = holding("rope_theta").number("rope_theta", 10_000);
  const share = holding("partial_rotary_factor").fraction("partial_rotary_factor", part);
  const dim = 2 * Math.floor((share * headDim) / 2);
  return { dim, theta, precision: "float32", scaling: scaling === null ? null : readScaling(scaling) };
}

function readScaling(scaling: Settings): RotaryScaling | null {
  const type = scaling.oneOf(
    scaling.has("rope_type") ? "rope_type" : "type",
    { default: "default", linear: "linear", llama3: "llama3" } as const,
    "default",
  );
  if (type === "default") return null;
  const factor = scaling.number("factor");
  if (type === "linear") return { type, factor };
  return {
    ...{ type, factor },
    low_freq_factor: scaling.number("low_freq_factor"),
    high_freq_factor: scaling.number("high_freq_factor"),
    original_max_position_embeddings: scaling.size("original_max_position_embeddings"),
  };
}
