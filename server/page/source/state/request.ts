import { allFields, type NumberField } from "./fields.js";
import type { Screen, Turn } from "./screen.js";

export interface Request {
  path: "/v1/chat/completions" | "/v1/completions";
  body: Record<string, unknown>;
  seed: number;
  samples: number;
}

/** What keeps the screen from being sent: for a field, what is wrong with it. */
export type Problems = Partial<Record<string, Problem>>;
export type Problem =
  | { kind: "number"; min: number; max: number; whole: boolean }
  | { kind: "json"; detail: string }
  | { kind: "bias"; line: string }
  | { kind: "empty" };

/** How many tokens a completion may have if nothing is said: the API's own default is 16. */
const COMPLETION_TOKENS = 128;

/** @param turns the messages that the model shall answer */
export function bodyOf(screen: Screen, turns: readonly Turn[], model: string): Record<string, unknown> {
  const { mode, system, prompt, numbers } = screen;
  const input =
    mode === "chat"
      ? {
          messages: [
            ...(system.trim() === "" ? [] : [{ role: "system", content: system }]),
            ...turns.map(({ role, text }) => ({ role, content: text })),
          ],
        }
      : { prompt, ...(numbers.max_tokens === "" && { max_tokens: COMPLETION_TOKENS }) };
  return { model, ...input, ...numbersOf(screen), ...optionsOf(screen), ...formOf(screen) };
}

/** The request as it is sent: with a seed, so that it can be repeated, and as a stream. */
export function requestOf(body: Record<string, unknown>, seed: number, mode: Screen["mode"]): Request {
  const samples = typeof body.n === "number" ? body.n : 1;
  return {
    path: mode === "chat" ? "/v1/chat/completions" : "/v1/completions",
    body: { ...body, seed, ...streamOf(body) },
    seed,
    samples,
  };
}

/** The API can't stream the best of several, since which ones these are is known at the end. */
export const streamOf = ({ best_of, n = 1 }: Record<string, unknown>) =>
  best_of === undefined || best_of === n ? { stream: true, stream_options: { include_usage: true } } : {};

function numbersOf({ mode, numbers }: Screen): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  const timeout: Record<string, number> = {};
  for (const { name, only } of allFields) {
    const text = numbers[name].trim();
    if (text === "" || (only && only !== mode)) continue;
    if (name.startsWith("timeout_")) timeout[name.slice("timeout_".length)] = Number(text);
    else body[name] = Number(text);
  }
  return Object.keys(timeout).length > 0 ? { ...body, timeout } : body;
}

function optionsOf({ mode, stop, bias, ignoreEos, echo, tokens, alternatives }: Screen) {
  const stops = stop.split("\n").filter((line) => line !== "");
  const biases = biasesOf(bias);
  return {
    ...(stops.length > 0 && { stop: stops.map((line) => line.replaceAll("\\n", "\n")) }),
    ...(biases.length > 0 && { logit_bias: Object.fromEntries(biases) }),
    ...(ignoreEos && { ignore_eos: true }),
    ...(mode === "completion" && echo && { echo: true }),
    ...(tokens &&
      (mode === "chat" ? { logprobs: true, top_logprobs: alternatives } : { logprobs: alternatives })),
  };
}

const BIAS = /^\s*(\d+)\s*[:=,\s]\s*([-+]?\d+(?:\.\d+)?)\s*$/;

function biasesOf(text: string): [string, number][] {
  return text.split("\n").flatMap((line) => {
    const [, id, bias] = BIAS.exec(line) ?? [];
    return id ? [[id, Number(bias)] as [string, number]] : [];
  });
}

function formOf({ form, schema, regex, grammar }: Screen): Record<string, unknown> {
  if (form === "json") return { response_format: { type: "json_object" } };
  if (form === "regex") return { regex };
  if (form === "grammar") return { grammar };
  if (form === "none") return {};
  try {
    return {
      response_format: { type: "json_schema", json_schema: { name: "answer", schema: JSON.parse(schema) } },
    };
  } catch {
    // `problemsOf` has said so.
    return {};
  }
}

/** Finds what can be found before anything is sent. */
export function problemsOf(screen: Screen): Problems {
  const problems: Problems = {};
  for (const field of allFields) {
    const problem = numberProblem(field, screen.numbers[field.name].trim());
    if (problem && (!field.only || field.only === screen.mode)) problems[field.name] = problem;
  }
  const line = screen.bias.split("\n").find((one) => one.trim() !== "" && !BIAS.test(one));
  if (line !== undefined) problems.logit_bias = { kind: "bias", line };
  const { form } = screen;
  if (form === "schema") {
    try {
      JSON.parse(screen.schema);
    } catch (error) {
      problems.form = { kind: "json", detail: (error as Error).message };
    }
  } else if ((form === "regex" || form === "grammar") && screen[form] === "")
    problems.form = { kind: "empty" };
  return problems;
}

function numberProblem({ min, max, whole = false }: NumberField, text: string): Problem | null {
  if (text === "") return null;
  const value = Number(text);
  const isRight = !Number.isNaN(value) && value >= min && value <= max && (!whole || Number.isInteger(value));
  return isRight ? null : { kind: "number", min, max, whole };
}

export const randomSeed = () => Math.floor(Math.random() * 2 ** 31);
