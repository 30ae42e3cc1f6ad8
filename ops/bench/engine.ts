import type { ModelFolder } from "../../models/folder.js";
import { modelShape } from "../../models/shape.js";
import { Engine } from "../../workers/engine/engine.js";
import { KvCache } from "../../workers/engine/kv-cache.js";
import { Sequence } from "../../workers/engine/sequence.js";
import { OnnxSession } from "../../workers/onnx/session.js";
import type { FromSequence } from "../../workers/protocol.js";
import { closedLoop, type Measurement, prompt, type Workload } from "./workload.js";

/** The engine alone, in this thread: what serving adds to it is the difference to the same workload over HTTP. */
export async function benchEngine(
  model: ModelFolder,
  threads: number,
  workload: Workload,
): Promise<Measurement> {
  const shape = modelShape(model.config);
  const session = await OnnxSession.open(model.graphPath, shape, { device: "cpu", deviceId: 0, threads });
  const cache = new KvCache(shape, workload.clients);
  const engine = new Engine(session, cache, shape.vocabulary);
  const ask = async (index: number) => {
    const outcome = new Promise<FromSequence>((onEnd) => {
      engine.add(
        new Sequence({
          promptIds: model.tokenizer.encode(prompt(index)),
          maxTokens: workload.tokens,
          temperature: 0.8,
          topK: 50,
          seed: [index, 0],
          stop: [],
          eosId: null,
          context: shape.context,
          contextStride: Math.max(1, shape.context >> 2),
          decoder: model.tokenizer,
          onEnd,
        }),
      );
    });
    void engine.run();
    const end = await outcome;
    if (end.type !== "finished")
      throw new Error(`request ${index}: expected an answer, got ${JSON.stringify(end)}`);
  };
  try {
    await closedLoop({ ...workload, requests: workload.clients, tokens: 8 }, ask);
    return await closedLoop(workload, ask);
  } finally {
    await session.close();
  }
}
