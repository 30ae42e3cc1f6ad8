import { useEffect, useRef, useState } from "preact/hooks";
import { bodyOf, type Problems, problemsOf, randomSeed, requestOf } from "../../state/request.js";
import { newTurn, type Screen, type Turn } from "../../state/screen.js";
import { useTexts } from "../../texts/texts.js";
import type { Answer } from "../../wire/answer.js";
import { generate } from "../../wire/generate.js";
import { useSession } from "../session.js";

export type SetScreen = (change: (screen: Screen) => Screen) => void;

/** Why the last attempt has no answer: an error, or fields that are wrong. */
export interface Setback {
  error: unknown;
  problems: Problems;
}

export interface Generating {
  isRunning: boolean;
  setback: Setback | null;
  /** Answers the conversation up to `turns`, or continues the prompt. @param seed default: the field's, or a new one */
  run(turns: Turn[], seed?: number): void;
  stop(): void;
  /** Stops, and shows nothing more of the answer: what it belongs to is gone. */
  discard(): void;
}

/** Runs one generation at a time and writes its answer on the screen. */
export function useGeneration(screen: Screen, setScreen: SetScreen): Generating {
  const texts = useTexts();
  const { model, report, say } = useSession();
  const controller = useRef<AbortController | null>(null);
  const [isRunning, setRunning] = useState(false);
  const [setback, setSetback] = useState<Setback | null>(null);
  const discard = () => {
    controller.current?.abort();
    controller.current = null;
    setRunning(false);
  };
  useEffect(() => discard, []);

  const run = async (turns: Turn[], seed?: number) => {
    const problems = problemsOf(screen);
    if (Object.keys(problems).length > 0) return setSetback({ error: null, problems });
    controller.current?.abort();
    const own = new AbortController();
    controller.current = own;
    setSetback(null);
    setRunning(true);
    say(texts.waiting);
    const body = bodyOf(screen, turns, model);
    const request = requestOf(
      body,
      seed ?? (typeof body.seed === "number" ? body.seed : randomSeed()),
      screen.mode,
    );
    const place = placeFor(screen.mode, turns, setScreen);
    let state: Answer["state"] = "waiting";
    const show = (answer: Answer) => {
      if (answer.state === "running" && state !== "running") say(texts.running);
      state = answer.state;
      // An aborted request reports once more, when its place may be another's.
      if (controller.current === own) place(answer);
      if (state === "done") say(texts.finished(answer.usage?.completion_tokens ?? 0));
      if (state === "stopped") say(texts.stopped);
    };
    try {
      await generate(request, own.signal, show);
    } catch (error) {
      report(error);
      setSetback({ error, problems: {} });
    } finally {
      if (controller.current === own) setRunning(false);
    }
  };
  return {
    isRunning,
    setback,
    run: (turns, seed) => void run(turns, seed),
    stop: () => controller.current?.abort(),
    discard,
  };
}

/** Where an answer goes: the output of a completion, or a new message of the conversation. */
function placeFor(mode: Screen["mode"], turns: Turn[], setScreen: SetScreen): (answer: Answer) => void {
  if (mode === "completion") return (answer) => setScreen((screen) => ({ ...screen, output: answer }));
  const { key } = newTurn("assistant", "");
  return (answer) =>
    setScreen((screen) => {
      const chosen = screen.turns.find((turn) => turn.key === key)?.chosen ?? 0;
      const text = answer.samples[chosen]?.text ?? "";
      // A request that failed before any output leaves no empty message.
      const isEmpty = answer.state === "failed" && answer.firstAt === null;
      const turn: Turn = { key, role: "assistant", text, answer, chosen };
      return { ...screen, turns: isEmpty ? turns : [...turns, turn] };
    });
}
