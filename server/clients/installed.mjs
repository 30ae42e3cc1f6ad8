// What the tests of one client share: the client, if it is installed, and servers for it.
import { fileURLToPath } from "node:url";
import { ServerProcess } from "../../dist/ops/server-process.js";

export const modelDir = fileURLToPath(new URL("../../models/jai-small", import.meta.url));

/** The modules of these names, or why tests that need them are skipped. */
export async function load(...names) {
  try {
    return { modules: await Promise.all(names.map((name) => import(name))), skip: false };
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    return {
      modules: [],
      skip: `${names[0]} is not installed: npm ci in server/clients, which npm test runs, failed`,
    };
  }
}

/** A server that is ready, and ends with the tests of `context`. */
export async function serve(context, settings = {}) {
  const server = await ServerProcess.ready(modelDir, settings);
  context.after(() => server.stop());
  return { server, baseURL: `http://127.0.0.1:${server.port}/v1` };
}

/** Asks until nothing runs and nothing waits; bounded by the test's own time. */
export async function idle(server) {
  for (;;) {
    const { queue } = JSON.parse((await server.request("GET", "/health")).text);
    if (queue.running + queue.waiting === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Keeps one slot for itself, for a second or until it is told to let go. */
export async function occupy(server) {
  const body = { prompt: "x", max_tokens: 1000, ignore_eos: true };
  // What others are told to wait goes by the pace; a server that has answered nothing yet supposes a slow one.
  await server.request("POST", "/generate", { ...body, max_tokens: 300 });
  const leaving = new AbortController();
  const began = withResolvers();
  const ended = server.stream("/generate", body, began.resolve, leaving.signal).catch(() => {});
  await began.promise;
  return async () => {
    leaving.abort();
    await ended;
    await idle(server);
  };
}

/** A fetch that notes the status of every answer, and calls back with it. */
export function watchedFetch(onStatus = () => {}) {
  const statuses = [];
  const watched = async (...request) => {
    const response = await fetch(...request);
    statuses.push(response.status);
    await onStatus(response.status);
    return response;
  };
  return { statuses, fetch: watched };
}

function withResolvers() {
  const deferred = {};
  deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }));
  return deferred;
}
