// A process that serves a GGUF with node-llama-cpp to its parent, over IPC. Plain Node, since the package is installed
// by the benchmark alone. Its argument is JSON: { model, clients, threads, … }; see node-llama-cpp.ts, which starts it.
import { readFileSync } from "node:fs";

const { getLlama, LlamaLogLevel } = await import("node-llama-cpp");
const {
  model: modelPath,
  clients,
  threads,
  context: contextSize,
  batchSize,
  flashAttention,
} = JSON.parse(process.argv[2]);

const llama = await getLlama({
  gpu: false,
  // Its prebuilt binary or nothing: no source is fetched and none compiled.
  build: "never",
  skipDownload: true,
  progressLogs: false,
  logLevel: LlamaLogLevel.error,
  maxThreads: 0,
});
const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
const context = await model.createContext({
  sequences: clients,
  contextSize,
  batchSize,
  threads: { ideal: threads, min: threads },
  flashAttention,
});
/** Sequences that no request has. */
const free = Array.from({ length: clients }, () => context.getSequence());
/** Requests that wait for one. */
const waiting = [];

async function answer({ id, ids, maxTokens, temperature, topK, seed, stream }) {
  const sequence = free.pop() ?? (await new Promise((resolve) => waiting.push(resolve)));
  let tokens = 0;
  const output = [];
  try {
    // What the sequence still has of an earlier prompt is kept where it begins alike.
    await sequence.adaptStateToTokens(ids.slice(0, -1), false);
    const rest = ids.slice(sequence.nextTokenIndex);
    for await (const token of sequence.evaluate(rest, {
      temperature,
      topK,
      topP: 1,
      seed,
      yieldEogToken: true,
    })) {
      output.push(token);
      tokens++;
      if (stream) process.send({ id, tokens: 1 });
      if (tokens === maxTokens) break;
    }
    process.send({ id, done: tokens, output });
  } catch (error) {
    process.send({ id, error: String(error) });
  } finally {
    const next = waiting.shift();
    if (next) next(sequence);
    else free.push(sequence);
  }
}

process.on("message", answer);
process.on("disconnect", () => process.exit());
const { version } = JSON.parse(
  readFileSync(new URL("node_modules/node-llama-cpp/package.json", import.meta.url), "utf8"),
);
process.send({ ready: `node-llama-cpp ${version}, llama.cpp ${llama.llamaCppRelease.release}` });
