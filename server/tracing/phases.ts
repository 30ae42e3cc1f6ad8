import type { Summary } from "../telemetry/summary.js";

export interface Phase {
  name: "receive" | "prepare" | "queue" | "prefill" | "decode" | "deliver" | "store";
  /** By `performance.now()`. */
  from: number;
  to: number;
}

/**
 * What a generation's time was spent on. The phases follow each other without a gap, so their times add up to the whole.
 * Only phases that it got to are in the list. Of several sequences, the first to start and the last to end count.
 */
export function phasesOf(summary: Summary): Phase[] {
  const { kind, receivedAt, generation } = summary;
  if (generation === null) return [];
  const { reservedAt, preparedAt, startedAt, firstTokenAt, endedAt } = generation;
  const marks: [Phase["name"], number | null][] = [
    ["receive", receivedAt],
    ["prepare", reservedAt],
    ["queue", preparedAt],
    ["prefill", startedAt],
    ["decode", firstTokenAt],
    [kind === "job" ? "store" : "deliver", endedAt],
  ];
  // A request that waits when its client leaves ends later than its response: its last mark would be missing.
  const reached = marks.filter((mark): mark is [Phase["name"], number] => mark[1] !== null);
  return reached.map(([name, from], index) => ({
    name,
    from: Math.min(from, summary.endedAt),
    to: Math.min(reached[index + 1]?.[1] ?? summary.endedAt, summary.endedAt),
  }));
}
