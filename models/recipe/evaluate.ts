import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { check } from "./check.js";
import type { Question } from "./corpus.js";
import { MODELS } from "./languages.js";

/** The share of answers without a fault that an evaluation must reach. */
export const PASS_SHARE = 0.9;

interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

/** A question of an evaluation, the model's answers to all its turns, and what is wrong with the last one. */
export interface Outcome {
  question: Question;
  answers: string[];
  problems: string[];
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

/**
 * The greedy answer of the server at `url`, and whether it ended by itself.
 * @param json whether the server sees to it that the answer is JSON
 * @throws an Error with the status and the body where it isn't 200
 */
export async function ask(
  url: string,
  messages: readonly Message[],
  json = false,
): Promise<{ text: string; ended: boolean }> {
  const response = await fetch(new URL("/v1/chat/completions", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      messages,
      temperature: 0,
      max_tokens: 200,
      ...(json && { response_format: { type: "json_object" } }),
    }),
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`expected status 200, got ${response.status}: ${body}`);
  const { choices } = JSON.parse(body) as {
    choices?: { message?: { content?: string }; finish_reason?: string }[];
  };
  const [choice] = choices ?? [];
  if (typeof choice?.message?.content !== "string")
    throw new Error(`expected a text in choices[0].message.content, got ${body}`);
  return { text: choice.message.content, ended: choice.finish_reason === "stop" };
}

/** Asks all turns of a question, each after the model's own answers, and checks the last. */
export async function examine(
  url: string,
  question: Question,
  language: (typeof MODELS)[string]["language"],
  byGrammar = false,
): Promise<Outcome> {
  const messages: Message[] = question.system === null ? [] : [{ role: "system", content: question.system }];
  const answers: string[] = [];
  let isEnded = true;
  for (const [index, content] of question.questions.entries()) {
    const isLast = index === question.questions.length - 1;
    messages.push({ role: "user", content });
    const { text, ended } = await ask(
      url,
      messages,
      byGrammar && isLast && question.expect.json !== undefined,
    );
    messages.push({ role: "assistant", content: text });
    answers.push(text);
    isEnded &&= ended;
  }
  const last = answers.at(-1) as string;
  const problems = check(last, question.expect, answers.slice(0, -1), language);
  if (!isEnded) problems.push("expected answers that end by themselves");
  return { question, answers, problems };
}

/** A line for each kind: how many answers to unseen wordings, and to known ones, are without a fault. */
export function tableOf(outcomes: readonly Outcome[]): string[] {
  const kinds = [...new Set(outcomes.map(({ question }) => question.kind))];
  const rows = kinds.map(
    (kind) => [kind, outcomes.filter(({ question }) => question.kind === kind)] as const,
  );
  return [...rows, ["all", outcomes] as const].map(
    ([kind, of]) => `| ${kind} | ${countOf(of, "unseen")} | ${countOf(of, "known")} |`,
  );
}

function countOf(outcomes: readonly Outcome[], wordings: Question["wordings"]): string {
  const asked = outcomes.filter(({ question }) => question.wordings === wordings);
  const right = asked.filter(({ problems }) => problems.length === 0);
  return asked.length === 0 ? "" : `${right.length} of ${asked.length}`;
}

function show({ question, answers, problems }: Outcome): string {
  const turns = question.questions.map((asked, index) => `> ${asked}\n${answers[index]}`);
  const head = question.system === null ? "" : `[${question.system}]\n`;
  return `${head}${turns.join("\n")}\n${problems.map((problem) => `! ${problem}\n`).join("")}`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      url: { type: "string", default: "http://127.0.0.1:8000" },
      model: { type: "string", default: "jai-small" },
      questions: { type: "string" },
      "in-flight": { type: "string", default: "8" },
      json: { type: "boolean", default: false },
      show: { type: "boolean", default: false },
    },
  });
  const language = MODELS[values.model]?.language;
  if (language === undefined)
    throw new Error(`expected --model ${Object.keys(MODELS).join(" or ")}, got ${values.model}`);
  const file = values.questions ?? `models/recipe/${language.folder}/heldout.json`;
  const questions = JSON.parse(readFileSync(file, "utf8")) as Question[];
  const outcomes = await mapBounded(questions, Number(values["in-flight"]), (question) =>
    examine(values.url, question, language, values.json),
  );
  const wrong = outcomes.filter(({ problems }) => problems.length > 0);
  for (const outcome of values.show ? outcomes : wrong)
    process.stdout.write(
      `${outcome.question.kind}, ${outcome.question.wordings} wordings\n${show(outcome)}\n`,
    );
  process.stdout.write(`${tableOf(outcomes).join("\n")}\n`);
  return wrong.length <= (1 - PASS_SHARE) * outcomes.length ? 0 : 1;
}

if (fileURLToPath(import.meta.url) === process.argv[1]) {
  process.exitCode = await main().catch((error: Error) => {
    process.stderr.write(
      `${error.message}${error.cause instanceof Error ? ` (${error.cause.message})` : ""}\n`,
    );
    return 1;
  });
}
