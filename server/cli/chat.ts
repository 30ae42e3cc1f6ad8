import { createInterface } from "node:readline";
import { positiveInteger, readArgs, UsageError, unexpected } from "../settings/args.js";
import { isKey, keyForm } from "../settings/key.js";

export const usage = [
  "Usage: jai chat [FLAGS]",
  "",
  "  --url URL          the server; default http://127.0.0.1:JAI_PORT, or port 8000",
  "  --temperature T    how freely to choose; 0 always takes the likeliest token",
  "  --max-tokens N     how long an answer may get",
  "  --key KEY          for a server with keys; JAI_API_KEY is safer: it is in no process list",
].join("\n");

const flags = {
  url: { type: "string" },
  temperature: { type: "string" },
  "max-tokens": { type: "string" },
  key: { type: "string" },
} as const;

interface Options {
  /** Ends with a slash, so that paths are resolved below it. */
  url: string;
  /** Secret: sent to this server only, never part of a message. */
  key: string | undefined;
  fields: { temperature?: number; max_tokens?: number };
}

/**
 * Sends each line of standard input to a running server and prints the answers, until the input ends or Ctrl-C.
 * @throws an error with a one-line message if the server can't be reached at the start, or fails to answer a question.
 * At a terminal a failed question only prints its error: the next one may succeed.
 */
export async function run(args: string[]): Promise<void> {
  const { url, key, fields } = parse(args);
  const server = { url, key };
  const health = await ask(server, "health");
  const terminal = process.stdin.isTTY === true;
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal });
  const stop = () => {
    process.stdout.write("\n");
    process.exit(0);
  };
  // readline reads Ctrl-C as a key at a terminal; elsewhere it is a signal.
  lines.on("SIGINT", stop);
  process.on("SIGINT", stop);
  const prompt = () => {
    if (terminal) lines.prompt();
  };
  if (terminal) process.stdout.write(`${nameOf(health)} at ${url}; Ctrl-D ends\n`);
  prompt();
  for await (const line of lines) {
    if (line.trim() !== "") {
      try {
        process.stdout.write(`${(await answer(server, { ...fields, prompt: line })).trimEnd()}\n`);
      } catch (error) {
        if (!terminal) throw error;
        process.stderr.write(`${(error as Error).message}\n`);
      }
    }
    prompt();
  }
}

type Server = Pick<Options, "url" | "key">;

async function answer(server: Server, body: object): Promise<string> {
  const { generated } = await ask(server, "chat", body);
  if (typeof generated !== "string") throw notJai(server.url);
  return generated;
}

function nameOf({ model }: Record<string, unknown>): string {
  return String((model as { name?: unknown } | undefined)?.name ?? "a model");
}

/** GETs a path, or POSTs a body to it. @throws an error with a one-line message */
async function ask({ url, key }: Server, path: string, body?: object): Promise<Record<string, unknown>> {
  const init = {
    // Authorization, not X-API-Key: fetch drops only the former when it is redirected to another server.
    headers: { ...(key && { authorization: `Bearer ${key}` }), "content-type": "application/json" },
    ...(body && { method: "POST", body: JSON.stringify(body) }),
  };
  let response: Response;
  let text: string;
  try {
    response = await fetch(new URL(path, url), init);
    text = await response.text();
  } catch (error) {
    const { cause } = error as { cause?: NodeJS.ErrnoException };
    throw new Error(
      `no answer from ${url}: ${cause?.code ?? (error as Error).message}; "jai serve" starts a server`,
    );
  }
  const answer = readObject(text);
  if (answer === null) throw notJai(url);
  if (!response.ok) throw new Error(`the server answered ${response.status}: ${describe(answer.detail)}`);
  return answer;
}

function notJai(url: string): Error {
  return new Error(`expected a jai-server at ${url}, got answers of another kind`);
}

function readObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** `detail` of an error: a text, or a list of fields that are wrong. */
function describe(detail: unknown): string {
  if (!Array.isArray(detail)) return String(detail);
  return (detail as { loc: unknown[]; msg: string }[])
    .map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`)
    .join("; ");
}

function parse(args: string[]): Options {
  const { values } = readArgs({ args, options: flags });
  const { temperature, "max-tokens": maxTokens, key = process.env.JAI_API_KEY } = values;
  const { url = `http://127.0.0.1:${process.env.JAI_PORT || 8000}` } = values;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw unexpected("url", "a URL of http or https", url);
  if (temperature !== undefined && !/^\d+(\.\d+)?$/.test(temperature))
    throw unexpected("temperature", "a number from 0", temperature);
  if (key && !isKey(key)) throw new UsageError(`--key or JAI_API_KEY: expected ${keyForm}`);
  return {
    url: url.endsWith("/") ? url : `${url}/`,
    key,
    fields: {
      ...(temperature !== undefined && { temperature: Number(temperature) }),
      ...(maxTokens !== undefined && { max_tokens: positiveInteger("max-tokens", maxTokens) }),
    },
  };
}
