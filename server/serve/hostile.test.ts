/*
 * Random hostile connections to real servers, with keys and without: every answer is one that openapi.yaml documents for
 * its operation and none is a 500, no connection hangs or is reset, and the servers answer as before afterwards.
 * JAI_TEST_HOSTILE sets the number of requests, TEST_SEED the seed.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { randomCases, testSeed } from "../../ops/random-cases.js";
import { ServerProcess } from "../../ops/server-process.js";
import { type ErrorCode, errors, PublicError } from "../errors/errors.js";
import { isOpenAiPath, openAiStatus } from "../errors/openai-error.js";
import { Contract } from "../fixtures/contract.js";
import type { Answer } from "../fixtures/exchange.js";
import { readDocument } from "../http/document.js";
import { PathTable } from "../http/paths.js";
import { pageAssets } from "../routes/docs.js";
import { Hostile, type HostileConnection, type Meant, operations } from "./fixtures/hostile.js";
import { converse, responsesOf } from "./fixtures/raw-connection.js";

const REQUESTS = Number(process.env.JAI_TEST_HOSTILE ?? randomCases(2000, 10_000));
const SEED = testSeed(11);
const AT_ONCE = 16;
const KEY = "a-key-of-the-test";
const LIMITS = { maxTokens: 32, maxPromptChars: 4000 };

const document = readDocument(LIMITS);
const contract = new Contract(document);
const paths = new PathTable<string>();
for (const path of Object.keys(document.paths)) paths.set(path, path);

const folder = mkdtempSync(join(tmpdir(), "jai-hostile-"));
before(() => writeFixtureModel(join(folder, "model"), "int8"));
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

const start = (environment: Record<string, string>) =>
  ServerProcess.ready(join(folder, "model"), {
    JAI_MAX_TOKENS: String(LIMITS.maxTokens),
    JAI_MAX_PROMPT_CHARS: String(LIMITS.maxPromptChars),
    JAI_MAX_BODY_BYTES: "65536",
    JAI_CONCURRENCY: "16",
    ...environment,
  });

/** The path of a target in any form. */
function pathOf(target: string): string {
  const [, rest = target] = /^https?:\/\/[^/?#]+(.*)$/i.exec(target) ?? [];
  const [path] = rest.split(/[?#]/, 1) as [string];
  return path === "" && rest !== target ? "/" : path;
}

/** The operation that a request is for, if there is one. */
function operationOf({ method, target }: Meant): string | null {
  const path = paths.get(pathOf(target));
  const operation = `${method === "HEAD" ? "GET" : method} ${path}`;
  return contract.operations.includes(operation) ? operation : null;
}

/** Codes of errors that a status may stand for. */
function codesOf(status: number, path: string): ErrorCode[] {
  const codes = Object.keys(errors) as ErrorCode[];
  const statusOf = (code: ErrorCode) =>
    isOpenAiPath(path) ? openAiStatus(new PublicError(code)) : errors[code].status;
  return codes.filter((code) => statusOf(code) === status || errors[code].status === status);
}

/** @throws unless the answer is one that the contract has for this request */
function holdOne(meant: Meant, answer: Answer): void {
  const { status } = answer;
  const path = pathOf(meant.target);
  assert.ok(status !== 500, `${meant.method} ${meant.target}: 500 ${answer.body}`);
  if (meant.method === "OPTIONS" && status === 204) return;
  if (status === 307) {
    assert.match(path, /\/$/);
    return;
  }
  if ((status === 200 || status === 304) && pageAssets.includes(path)) return;
  const asked = { ...answer, method: meant.method, path };
  const operation = operationOf(meant);
  if (status < 400) {
    contract.hold(operation, asked);
    return;
  }
  let failure: unknown = new Error(`${meant.method} ${meant.target}: a status without an error, ${status}`);
  // Without a key, even a path that doesn't exist is refused like one that does.
  const stranger = isOpenAiPath(path) ? "GET /v1/models" : "GET /jobs";
  // A request that can't be read has no path, and gets FastAPI's form.
  for (const code of codesOf(status, path))
    for (const one of code === "unauthorized" ? [operation, stranger] : [operation, null])
      for (const at of [path, "/"])
        try {
          contract.hold(one, { ...asked, path: at }, code);
          return;
        } catch (error) {
          failure = error;
        }
  throw failure;
}

/** @returns the statuses of the answers. @throws for an answer that is not documented, or a lack of one */
function hold({ meant, whole }: HostileConnection, received: Buffer): number[] {
  const answers = responsesOf(
    received,
    meant.map(({ method }) => method),
    !whole,
  );
  const closed = answers.some(({ headers }) => /close/i.test(headers.connection ?? ""));
  if (whole && !closed) assert.equal(answers.length, meant.length, "every request has an answer");
  if (whole) assert.ok(answers.length > 0);
  for (const [at, answer] of answers.entries()) {
    // Bytes that can't be read as meant may be read as other requests.
    const candidates = whole
      ? [meant[at]!]
      : [...meant.slice(at), ...meant, { method: "", operation: null, target: "" }];
    let failure: unknown;
    const isFine = candidates.some((one) => {
      try {
        holdOne(one, answer);
        return true;
      } catch (error) {
        failure ??= error;
        return false;
      }
    });
    if (!isFine) throw failure;
  }
  return answers.map(({ status }) => status);
}

const greedy = { prompt: "abc", max_tokens: 20, temperature: 0 };

for (const [who, key] of [
  ["without keys", []],
  ["with keys", [["X-API-Key", KEY]]],
] as [string, [string, string][]][])
  test(`a server ${who} answers ${REQUESTS / 2} hostile requests (seed ${SEED})`, async () => {
    const server = await start(key.length > 0 ? { JAI_API_KEYS: `test=${KEY}` } : {});
    const headers = { "content-type": "application/json", ...Object.fromEntries(key) };
    const url = `http://127.0.0.1:${server.port}`;
    const ask = async (path: string, body: object) => {
      const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
      return (await response.json()) as { id: string; generated: string };
    };
    const { generated } = await ask("/generate", greedy);
    const jobs = await Promise.all(Array.from({ length: 8 }, async () => (await ask("/jobs", greedy)).id));
    const hostile = new Hostile(document, { jobs, model: "model", key });
    const seen = new Map<number, number>();
    let sent = 0;
    let index = 0;
    const failures: string[] = [];
    const client = async () => {
      while (sent < REQUESTS / 2 && failures.length < 10) {
        const at = index++;
        const connection = hostile.connection(SEED, at);
        sent += connection.meant.length;
        try {
          const received = await converse(server.port, connection);
          if (connection.leaves) continue;
          for (const status of hold(connection, received)) seen.set(status, (seen.get(status) ?? 0) + 1);
        } catch (error) {
          const bytes = JSON.stringify(connection.bytes.toString("latin1").slice(0, 700));
          failures.push(`connection ${at}: ${connection.what}\n${bytes}\n${(error as Error).message}`);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));
    const counts = [...seen].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
    process.stdout.write(
      `# ${who}, seed ${SEED}: ${sent} requests on ${index} connections; ${counts.join(", ")}\n`,
    );
    if (failures.length > 0) {
      // If it has crashed, its last words come first.
      const { code, signal, output } = await server.stop();
      assert.fail(`${failures.join("\n\n")}\n\nthe end (${code}, ${signal}): ${output.slice(-3000)}`);
    }
    assert.equal((await ask("/generate", greedy)).generated, generated);
    const exit = await server.stop();
    assert.deepEqual([exit.code, exit.output], [0, exit.output.replace(/^.* - ERROR - .*$/gm, "")]);
  });

test("every operation is attacked", () => {
  assert.deepEqual(operations.toSorted(), contract.operations.toSorted());
});
