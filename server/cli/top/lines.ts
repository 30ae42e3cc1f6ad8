import type { Percentiles, Status } from "../server/status.js";
import type { Styles } from "../terminal/styles.js";
import { bytes, counted, duration, thousands } from "../terminal/units.js";
import { visibleLine } from "../terminal/visible.js";
import { pad, table } from "../terminal/width.js";

/** `jai-small at …: healthy` */
export function heading({ model, status, version, uptime_seconds }: Status, styles: Styles): string {
  const colour = status === "healthy" ? styles.green : status === "unhealthy" ? styles.red : styles.yellow;
  const { name, precision, context } = model;
  return [
    styles.bold(visibleLine(name)),
    `${visibleLine(precision)}, context ${thousands(context)}`,
    colour(visibleLine(status)),
    `up ${duration(uptime_seconds)}`,
    `jai-server ${visibleLine(version)}`,
  ].join(styles.dim(" · "));
}

/** A line for each group of figures, with its name at the left. */
export function figures(status: Status, styles: Styles): string[] {
  const { workers, queue, rates, latency_ms: latency, cache, jobs, memory, requests, restarts } = status;
  const slots = workers.flatMap((worker) => worker.slots);
  const busy = (state: string) => slots.filter((slot) => slot.state === state).length;
  const share = cache.prompt_tokens === 0 ? 0 : cache.reused_tokens / cache.prompt_tokens;
  const rows: [string, string][] = [
    [
      "slots",
      `${busy("prefill") + busy("decode")} of ${slots.length} busy: ${busy("prefill")} prefill, ${busy("decode")} decode; ${counted(workers.length, "worker")} on ${visibleLine(status.device)}, ${counted(status.threads, "thread")} each`,
    ],
    ["queue", `${queue.running} running, ${queue.waiting} waiting of at most ${thousands(queue.limit)}`],
    [
      "rates",
      `${rate(rates.generated_tokens)} tokens/s generated, ${rate(rates.prompt_tokens)} of prompts, ${rate(rates.requests)} requests/s`,
    ],
    ["TTFT", percentiles(latency.ttft)],
    ["ITL", percentiles(latency.itl)],
    ["wait", percentiles(latency.queue)],
    ["total", percentiles(latency.total)],
    [
      "cache",
      `${thousands(cache.used_rows)} of ${thousands(cache.rows)} rows in use, ${bytes(cache.bytes)}; ${(100 * share).toFixed(0)} % of prompt tokens reused`,
    ],
    [
      "requests",
      `${thousands(requests.ok)} answered, ${thousands(requests.refused)} refused, ${thousands(requests.failed)} failed, ${thousands(requests.cancelled)} cancelled`,
    ],
    [
      "jobs",
      `${jobs.waiting} queued, ${jobs.running} running, ${jobs.done} done, ${jobs.failed} failed, ${jobs.cancelled} cancelled`,
    ],
    [
      "process",
      `${bytes(memory.rss)} of ${bytes(memory.budget)}, event loop ${ms(status.event_loop_ms.p99)} at p99, ${counted(restarts.workers, "worker restart")}, ${counted(restarts.reruns, "rerun")}`,
    ],
  ];
  return rows.map(([name, text]) => `${styles.dim(pad(name, 8))}  ${text}`);
}

/** A table of the waiting requests; empty if none waits. */
export function queueLines({ queue }: Status, styles: Styles, most = Number.POSITIVE_INFINITY): string[] {
  if (queue.requests.length === 0) return [];
  const shown = queue.requests.slice(0, most);
  // Without keys all callers are one, and every request is its own.
  const marksOwn = shown.some(({ own }) => !own);
  const rows = shown.map(({ position, expected_wait: wait, waited, sequences, priority, caller, own }) => [
    String(position),
    duration(waited),
    wait === null ? "?" : duration(wait),
    String(sequences),
    String(priority),
    `${visibleLine(caller ?? "-")}${own && marksOwn ? " (yours)" : ""}`,
  ]);
  const head = ["POSITION", "WAITED", "STARTS IN", "SEQUENCES", "PRIORITY", "CALLER"];
  const [first, ...lines] = table([head, ...rows], [0, 1, 2, 3, 4]);
  const more = queue.requests.length - shown.length + queue.more;
  return [
    styles.bold(first!),
    ...lines.map((line, at) => (marksOwn && shown[at]!.own ? styles.cyan(line) : line)),
    ...(more > 0 ? [styles.dim(`and ${thousands(more)} more`)] : []),
  ];
}

/** One line for a log: `12:00:01 healthy 812 tokens/s, 3 running, 0 waiting, TTFT 12 ms, ITL 1.2 ms` */
export function oneLine({ time, status, rates, queue, latency_ms: { ttft, itl } }: Status): string {
  return visibleLine(
    `${time.slice(11, 19)} ${status} ${rate(rates.generated_tokens)} tokens/s, ${queue.running} running, ${queue.waiting} waiting, TTFT ${ms(ttft.p50)}, ITL ${ms(itl.p50)}`,
  );
}

const rate = (value: number) =>
  value < 9.95 ? Number(value.toFixed(1)).toString() : thousands(Math.round(value));

const ms = (value: number | null) =>
  value === null ? "-" : value < 1000 ? `${Number(value.toPrecision(2))} ms` : duration(value / 1000);

const percentiles = ({ p50, p90, p99 }: Percentiles) =>
  p50 === null ? "nothing in the last minute" : `${ms(p50)} at p50, ${ms(p90)} at p90, ${ms(p99)} at p99`;
