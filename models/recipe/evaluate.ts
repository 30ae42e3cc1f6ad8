import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { HeldOutQuestion } from "./corpus.js";

/** The share of answers that an evaluation must reach. */
export const PASS_SHARE = 0.9;

/** Whether an answer names what the question asked for. */
export function follows(answer: string, { place, role }: HeldOutQuestion): boolean {
  return answer.includes(place) && answer.includes(role);
}

/** Runs `work` on every item with at most `limit` in flight; results keep the items' order. */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const queue = items.entries();
  const drain = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: limit }, drain));
  return results;
}

/** A greedy answer to `prompt` from the server at `url`; an HTTP error throws with its status and body. */
export async function ask(url: string, prompt: string): Promise<string> {
  const response = await fetch(new URL("/chat", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt, temperature: 0 }),
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`expected status 200 from /chat, got ${response.status}: ${body}`);
  const { generated } = JSON.parse(body) as { generated?: unknown };
  if (typeof generated !== "string") throw new Error(`expected a text in "generated", got ${body}`);
  return generated;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      url: { type: "string", default: "http://127.0.0.1:8000" },
      questions: { type: "string", default: join("models", "recipe", "heldout.json") },
      "in-flight": { type: "string", default: "8" },
    },
  });
  const questions = JSON.parse(readFileSync(values.questions, "utf8")) as HeldOutQuestion[];
  const answers = await mapBounded(questions, Number(values["in-flight"]), (entry) =>
    ask(values.url, entry.question),
  );
  const rows = questions.map((entry, index) => ({ entry, answer: answers[index] as string }));
  const missed = rows.filter(({ entry, answer }) => !follows(answer, entry));
  for (const { entry, answer } of missed) {
    process.stdout.write(
      `MISSED ${entry.question} (expected ${entry.place} and ${entry.role})\n${answer}\n\n`,
    );
  }
  for (let i = 0; i < 5; i++) {
    const { entry, answer } = rows[Math.floor((i * rows.length) / 5)] as (typeof rows)[number];
    process.stdout.write(`${entry.question}\n\n${answer}\n\n---\n`);
  }
  const share = 1 - missed.length / rows.length;
  process.stdout.write(
    `${rows.length - missed.length} of ${rows.length} answers (${(100 * share).toFixed(1)} %) name the place and the role\n`,
  );
  return share >= PASS_SHARE ? 0 : 1;
}

if (fileURLToPath(import.meta.url) === process.argv[1]) {
  process.exitCode = await main().catch((error: Error) => {
    process.stderr.write(
      `${error.message}${error.cause instanceof Error ? ` (${error.cause.message})` : ""}\n`,
    );
    return 1;
  });
}
