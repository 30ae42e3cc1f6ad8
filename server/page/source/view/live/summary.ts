import type { LiveTexts } from "../../texts/live/english.js";
import { numbersIn } from "../../texts/live/numbers.js";
import type { Language } from "../../texts/texts.js";
import type { Slot, Status, Worker } from "../../wire/status.js";

const slotStates = ["decode", "prefill", "idle"] as const;

/** How many slots are in each state, in words. */
export function slotsInWords(slots: readonly Slot[], texts: LiveTexts, language: Language): string {
  const { count } = numbersIn(language);
  return slotStates
    .map((state) => [state, slots.filter((slot) => slot.state === state).length] as const)
    .filter(([, number]) => number > 0)
    .map(([state, number]) => texts.slotCount(count(number), texts.slotNames[state]))
    .join(", ");
}

/** How full a worker's cache is, from 0 to 1. */
export function fullness({ slots }: Worker, context: number): number {
  const used = slots.reduce((sum, { tokens }) => sum + tokens, 0);
  return slots.length === 0 ? 0 : used / (slots.length * context);
}

/** What the server does, in a few sentences. */
export function summaryOf(status: Status, texts: LiveTexts, language: Language): string {
  const { rates, queue, workers, model } = status;
  const { rate, count, percent } = numbersIn(language);
  const all = texts.summary(rate(rates.generated_tokens), count(queue.running), count(queue.waiting));
  const each = workers.map((worker, number) =>
    texts.workerSummary(
      texts.worker(number + 1),
      texts.workerStates[worker.state],
      slotsInWords(worker.slots, texts, language),
      percent(fullness(worker, model.context)),
    ),
  );
  return [all, ...each].join(" ");
}
