// A process that serves a GGUF file with node-llama-cpp to its parent, over IPC. Not TypeScript, since only the
// benchmark installs the package. Its argument is JSON; see libraries.ts, which starts it.
import { readFileSync } from "node:fs";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const { model: modelPath, clients, threads, context: contextSize } = JSON.parse(process.argv[2]);

const llama = await getLlama({
  gpu: false,
  // Only the prebuilt binary: don't download or compile sources.
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
  // Large enough for every sequence and a prompt; other sizes are no faster.
  batchSize: 512,
  threads: { ideal: threads, min: threads },
  // Faster with flash attention, at every number of clients.
  flashAttention: true,
});
/** Free sequences. */
const free = Array.from({ length: clients }, () => context.getSequence());
/** Requests that wait for a sequence. */
const waiting = [];

async function answer({ id, ids, maxTokens, temperature, topK, seed, stream }) {
  const sequence = free.pop() ?? (await new Promise((resolve) => waiting.push(resolve)));
  let tokens = 0;
  try {
    // Keeps the cache of the beginning that this prompt shares with the sequence's last one.
    await sequence.adaptStateToTokens(ids.slice(0, -1), false);
    const rest = ids.slice(sequence.nextTokenIndex);
    const sampling = { temperature, topK, topP: 1, seed, yieldEogToken: true };
    for await (const _ of sequence.evaluate(rest, sampling)) {
      tokens++;
      if (stream) process.send({ id, tokens: 1 });
      if (tokens === maxTokens) break;
    }
    process.send({ id, done: tokens });
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
const manifest = new URL("node_modules/node-llama-cpp/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8"));
process.send({ ready: `node-llama-cpp ${version}, llama.cpp ${llama.llamaCppRelease.release}` });
