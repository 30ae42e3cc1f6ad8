import { open } from "node:fs/promises";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import "./telemetry.js";

/** Smaller weights stay in the graph itself. */
const LEAST_BYTES = 1024;

/**
 * Writes an optimized copy of a graph into a folder, as `model.onnx` and `model.onnx_data`. Its weights also lie there in the order in
 * which this CPU's kernels read them, so that sessions map them and need none of their own. Only the runtime that wrote it, on
 * the same kind of CPU, can read it.
 * See https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html and the runtime's
 * `session.save_external_prepacked_constant_initializers`.
 */
export async function prepareGraph(graph: string, folder: string): Promise<void> {
  const [file, data] = [join(folder, "model.onnx"), "model.onnx_data"];
  const session = await InferenceSession.create(graph, {
    executionProviders: ["cpu"],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
    optimizedModelFilePath: file,
    extra: {
      session: {
        save_external_prepacked_constant_initializers: "1",
        optimized_model_external_initializers_file_name: data,
        optimized_model_external_initializers_min_size_in_bytes: String(LEAST_BYTES),
      },
    },
  });
  await session.release();
  // What a power cut leaves half written could pass for whole.
  for (const name of [file, join(folder, data)]) {
    const written = await open(name, "r+");
    await written.sync();
    await written.close();
  }
}
