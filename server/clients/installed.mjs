// Helpers of the client tests: they load a client if it is installed, and start servers for it.
import { fileURLToPath } from "node:url";
import { ServerProcess } from "../../dist/ops/server-process.js";

export const modelDir = fileURLToPath(new URL("../../models/jai-small", import.meta.url));

/** Imports modules. `skip` is the reason to skip tests if they aren't installed, else false. */
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

/** Starts a server and waits until it is ready. It stops after the tests of `context`. */
export async function serve(context, settings = {}) {
  const server = await ServerProcess.ready(modelDir, settings);
  context.after(() => server.stop());
  return { server, baseURL: `http://127.0.0.1:${server.port}/v1` };
}

/** Resolves when no request runs or waits; the test's own timeout bounds it. */
export async function idle(server) {
  for (;;) {
    const { queue } = JSON.parse((await server.request("GET", "/health")).text);
    if (queue.running + queue.waiting === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Occupies one slot, for about a second or until the returned function is called. */
export async function occupy(server) {
  const body = { prompt: "x", max_tokens: 1000, ignore_eos: true };
  // Retry-After depends on the measured pace; before its first answer, a server assumes a slow one.
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

/** A fetch that collects the status of every answer and passes it to `onStatus`. */
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
