import type { Rotary, RotaryScaling } from "../../architecture.js";
import type { Settings } from "./settings.js";

/**
 * Reads the angles of a Hugging Face config: `rope_theta` and `rope_scaling` of before version 5, `rope_parameters` since.
 * @param dim how much of a head is turned
 */
export function readRotary(settings: Settings, dim: number): Rotary {
  const parameters = settings.inner("rope_parameters");
  const scaling = parameters ?? settings.inner("rope_scaling");
  const theta = (parameters ?? settings).number("rope_theta", 10_000);
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
