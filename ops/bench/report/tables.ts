import { CONDITIONS, OURS, type Precision, type Results } from "../results/results.js";
import { distinct, select } from "../results/rows.js";
import { median, type Percentiles, type Spread, spread } from "../results/statistics.js";
import type { Table } from "./table.js";

const NOT_MEASURED = "–";

export function engineTables(results: Results, model: string): Table[] {
  const precisions = distinct(select(results.decode, { model }).map((row) => row.precision));
  return [
    ...precisions.flatMap((precision) => [
      decodeTable(results, model, precision),
      prefillTable(results, model, precision),
    ]),
    reuseTable(results, model),
  ];
}

function decodeTable({ decode }: Results, model: string, precision: Precision): Table {
  const all = select(decode, { model, precision });
  return {
    title: `${model}, ${precision}: a decode step of the engine`,
    note: "Milliseconds, and the runtime's share of a step; the rest is JavaScript.",
    columns: ["batch", "depth", "step", "least–most", "tokens/s", "native"],
    rows: select(all, { repeat: 0 }).map(({ batch, depth }) => {
      const rows = select(all, { batch, depth });
      const step = spread(rows.map((row) => row.step))!;
      return [
        String(batch),
        String(depth),
        milliseconds(step.median),
        `${milliseconds(step.least)}–${milliseconds(step.most)}`,
        whole((1000 * batch) / step.median),
        // A ratio for each repeat, since the machine's speed drifts between repeats.
        share(rows.map((row) => row.native / row.step)),
      ];
    }),
  };
}

function prefillTable({ prefill }: Results, model: string, precision: Precision): Table {
  const all = select(prefill, { model, precision });
  return {
    title: `${model}, ${precision}: prefill of one prompt in the engine`,
    columns: ["tokens", "ms", "tokens/s", "native"],
    rows: distinct(all.map((row) => row.tokens)).map((tokens) => {
      const rows = select(all, { tokens });
      const total = median(rows.map((row) => row.total));
      return [
        String(tokens),
        milliseconds(total),
        whole((1000 * tokens) / total),
        share(rows.map((row) => row.native / row.total)),
      ];
    }),
  };
}

function reuseTable(results: Results, model: string): Table {
  const all = select(results.reuse, { model });
  return {
    title: `${model}: time to first token of a lone request over HTTP`,
    note: "Medians, in milliseconds, of prompts that are new and of prompts whose first tokens were just served.",
    columns: ["shared tokens", "new", "just served"],
    rows: distinct(all.map(({ shared }) => shared)).map((shared) => [
      String(shared),
      milliseconds(median(all.map((row) => row.first))),
      milliseconds(median(all.map((row) => row.again))),
    ]),
  };
}

export function closedTables(results: Results, model: string): Table[] {
  const closed = select(results.closed, { model });
  const clients = distinct(closed.map((row) => row.clients));
  return [false, true].flatMap((stream) => {
    const rows = select(closed, { stream });
    const systems = distinct(rows.map((row) => row.system));
    const rates: Table = {
      title: `${model}: tokens per second over HTTP by number of clients, ${kind(stream)}`,
      note: "Medians of the repeats; below them the least and the most.",
      columns: ["", ...clients.map(String)],
      rows: systems.flatMap((system) =>
        rateRows(
          system,
          clients.map((count) => select(rows, { system, clients: count }).map((row) => row.tokensPerSecond)),
        ),
      ),
    };
    if (!stream) rates.rows.push(...aloneRows(results, model, clients));
    return [rates, latenciesTable(results, model, stream)];
  });
}

/** Rows of the engine's rates alone, and of HTTP's share of them: the median of each repeat's share. */
function aloneRows(results: Results, model: string, clients: readonly number[]): string[][] {
  const alone = select(results.alone, { model });
  if (alone.length === 0) return [];
  const rates = clients.map((count) => select(alone, { clients: count }).map((row) => row.tokensPerSecond));
  const shares = clients.map((count) =>
    select(alone, { clients: count }).flatMap(({ repeat, tokensPerSecond }) =>
      select(results.closed, { model, system: OURS, clients: count, stream: false, repeat }).map(
        (served) => served.tokensPerSecond / tokensPerSecond,
      ),
    ),
  );
  return [...rateRows(`${OURS}'s engine alone`, rates), [`${OURS} over HTTP, of this`, ...shares.map(share)]];
}

function latenciesTable(results: Results, model: string, stream: boolean): Table {
  const all = select(results.closed, { model, stream });
  return {
    title: `${model}: latency by number of clients, ${kind(stream)}`,
    note: "Milliseconds, p50 / p95 / p99. A request asks for this many tokens: fewer where a system is too slow.",
    columns: ["", "clients", "tokens", "requests", ...(stream ? ["TTFT", "ITL"] : []), "end to end"],
    rows: distinct(all.map(({ system }) => system)).flatMap((system) => {
      const own = select(all, { system });
      return distinct(own.map(({ clients }) => clients)).map((clients) => {
        const rows = select(own, { clients });
        return [
          system,
          String(clients),
          distinct(rows.map(({ tokens }) => tokens)).join("–"),
          String(rows.reduce((sum, row) => sum + row.requests, 0)),
          ...(stream ? [quantiles(rows.map((row) => row.firstToken))] : []),
          ...(stream ? [quantiles(rows.map((row) => row.interToken))] : []),
          quantiles(rows.map((row) => row.endToEnd)),
        ];
      });
    }),
  };
}

/** The rates of `closedTables` beside other work, and with questions that were asked before. */
export function conditionsTable(results: Results, model: string): Table {
  const all = select(results.conditions, { model });
  const clients = distinct(all.map((row) => row.clients));
  const ofSystem = (system: string) =>
    CONDITIONS.flatMap((condition) => {
      const cells = clients.map((count) => select(all, { system, clients: count, condition }));
      const rates = rateRows(
        `${system}, ${CONDITION_NAMES[condition]}`,
        cells.map((rows) => rows.map(({ tokensPerSecond }) => tokensPerSecond)),
      );
      if (condition === "quiet") return rates;
      const shares = cells.map((rows) =>
        rows.flatMap(({ clients, repeat, tokensPerSecond }) =>
          select(all, { system, clients, repeat, condition: "quiet" }).map(
            (quiet) => tokensPerSecond / quiet.tokensPerSecond,
          ),
        ),
      );
      return [...rates, ["of quiet", ...shares.map(share)]];
    });
  return {
    title: `${model}: tokens per second beside other work, and with questions that were asked before`,
    note: "Whole answers; medians of the repeats, below them the least and the most. The three conditions take turns within each repeat.",
    columns: ["", ...clients.map(String)],
    rows: distinct(all.map(({ system }) => system)).flatMap(ofSystem),
  };
}

const CONDITION_NAMES = {
  quiet: "quiet",
  busy: "beside a process that keeps a core busy",
  asked: "asked before",
} as const;

export function openTable(results: Results, model: string): Table {
  const { firstTokenMs, meanInterTokenMs } = results.settings.bounds;
  const heads = ["load", "arriving/s", "good/s", "good", "TTFT", "ITL", "end to end"];
  return {
    title: `${model}: requests that arrive at random (open loop)`,
    note: `Poisson arrivals of mixed prompts (16 to 200 tokens) and answers (16 to 150 tokens); the load is against the system's own rate in the closed loop. Good: first token within ${firstTokenMs} ms and ${meanInterTokenMs} ms a token on average. Milliseconds, p50 / p95 / p99.`,
    columns: ["", ...heads, "refused", "unfinished", "failed"],
    rows: select(results.open, { model }).map((row) => [
      row.system,
      row.load.toFixed(2),
      row.perSecond.toFixed(1),
      (row.good / row.seconds).toFixed(1),
      percent(row.good / Math.max(1, row.offered)),
      quantiles([row.firstToken]),
      quantiles([row.interToken]),
      quantiles([row.endToEnd]),
      row.refused === 0 ? "0" : `${row.refused} (${row.refusedWithRetryAfter} with Retry-After)`,
      String(row.unfinished),
      String(row.failed),
    ]),
  };
}

export function systemsTable({ systems }: Results): Table {
  const rows = systems.map((row) => [row.system, row.model, String(row.clients), row.settings]);
  // A system that was started several times gets one row.
  const different = new Map(rows.map((row) => [row.join(), row]));
  const columns = ["", "model", "clients", "settings"];
  return { title: "Settings of the systems", columns, rows: [...different.values()] };
}

export function problemsTable({ problems }: Results): Table {
  return {
    title: "Failures",
    columns: ["", "model", "clients", "why"],
    rows: problems.map((row) => [row.system, row.model, String(row.clients ?? "any"), row.reason]),
  };
}

const kind = (stream: boolean) => (stream ? "streaming" : "whole answers");

/** A row of medians and, if repeats differ, a row of their ranges. */
function rateRows(name: string, repeats: readonly number[][]): string[][] {
  const spreads = repeats.map(spread);
  const range = (one: Spread | null) => (one ? `${rate(one.least)}–${rate(one.most)}` : "");
  const medians = [name, ...repeats.map(rateOf)];
  return spreads.some((one) => one && one.most > one.least)
    ? [medians, ["", ...spreads.map(range)]]
    : [medians];
}

/** The medians of repeats' percentiles. */
function quantiles(repeats: readonly (Percentiles | null)[]): string {
  const all = repeats.flatMap((one) => one ?? []);
  if (all.length === 0) return NOT_MEASURED;
  return (["p50", "p95", "p99"] as const)
    .map((name) => milliseconds(median(all.map((one) => one[name]))))
    .join(" / ");
}

const rateOf = (rates: readonly number[]) => (rates.length === 0 ? NOT_MEASURED : rate(median(rates)));
const share = (shares: readonly number[]) => (shares.length === 0 ? NOT_MEASURED : percent(median(shares)));
const percent = (part: number) => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;
const rate = (value: number) => (value < 20 ? value.toFixed(1) : whole(value));
const whole = (value: number) => Math.round(value).toLocaleString("en");
const milliseconds = (value: number) => (value < 100 ? value.toPrecision(3) : whole(value));
