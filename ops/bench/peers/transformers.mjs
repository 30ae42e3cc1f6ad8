// A process that serves a model folder with transformers.js to its parent, over IPC. Not TypeScript, since only the
// benchmark installs the package. Its argument is JSON; see libraries.ts, which starts it.
import { setTimeout as sleep } from "node:timers/promises";
import { AutoModelForCausalLM, env, Tensor } from "@huggingface/transformers";

const { model: folder, clients, threads } = JSON.parse(process.argv[2]);
/** How long an idle model waits for more requests: the clients of a finished batch send their next ones one by one. */
const GATHER_MS = 5;

env.allowRemoteModels = false;
env.useFSCache = false;
const model = await AutoModelForCausalLM.from_pretrained(folder, {
  dtype: "q8",
  device: "cpu",
  local_files_only: true,
  session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
});

const waiting = [];
let busy = false;

process.on("message", (request) => {
  waiting.push(request);
  if (!busy) void serve();
});
process.on("disconnect", () => process.exit());

/** Runs waiting requests as one batch to its end, since the library has no continuous batching. */
async function serve() {
  busy = true;
  while (waiting.length > 0) {
    if (waiting.length < clients) await sleep(GATHER_MS);
    const [{ maxTokens }] = waiting;
    const batch = waiting.filter((request) => request.maxTokens === maxTokens).slice(0, clients);
    for (const request of batch) waiting.splice(waiting.indexOf(request), 1);
    try {
      await generate(batch);
    } catch (error) {
      for (const { id } of batch) process.send({ id, error: String(error) });
    }
  }
  busy = false;
}

async function generate(batch) {
  const [{ maxTokens, temperature, topK }] = batch;
  const length = Math.max(...batch.map(({ ids }) => ids.length));
  const input = new BigInt64Array(batch.length * length);
  const mask = new BigInt64Array(batch.length * length);
  for (const [row, { ids }] of batch.entries()) {
    const start = row * length + length - ids.length;
    input.set(ids.map(BigInt), start);
    mask.fill(1n, start, (row + 1) * length);
  }
  const dims = [batch.length, length];
  let prompted = false;
  const streamer = {
    put() {
      // The first call has only the prompts.
      if (prompted) for (const { id, stream } of batch) if (stream) process.send({ id, tokens: 1 });
      prompted = true;
    },
    end() {},
  };
  const output = await model.generate({
    input_ids: new Tensor("int64", input, dims),
    attention_mask: new Tensor("int64", mask, dims),
    max_new_tokens: maxTokens,
    ...(temperature > 0 ? { do_sample: true, temperature, top_k: topK } : { do_sample: false }),
    ...(batch.some(({ stream }) => stream) && { streamer }),
  });
  for (const { id } of batch) process.send({ id, done: output.dims[1] - length });
}

process.send({ ready: `transformers.js ${env.version}` });
