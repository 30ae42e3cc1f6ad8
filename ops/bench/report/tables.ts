import { OURS, type Precision, type Results } from "../results.js";
import { distinct, select } from "../rows.js";
import { median, type Percentiles, type Spread, spread } from "../statistics.js";
import type { Table } from "./table.js";

const NOT_MEASURED = "–";

export function engineTables(results: Results, model: string): Table[] {
  const precisions = distinct(select(results.decode, { model }).map((row) => row.precision));
  return [
    ...precisions.flatMap((precision) => [
      decodeTable(results, model, precision),
      prefillTable(results, model, precision),
    ]),
    peerEnginesTable(results, model),
    latencyTable(results, model),
  ];
}

function decodeTable({ decode }: Results, model: string, precision: Precision): Table {
  const all = select(decode, { model, precision });
  return {
    title: `${model}, ${precision}: a decode step of the engine`,
    note: "Milliseconds; the runtime's part of a step, the rest is JavaScript; and the step's shares of two ceilings that were measured beside it: the matrix products alone, and, for a batch of 1, reading weights and cache at the rate of memory that no cache holds.",
    columns: ["batch", "depth", "step", "least–most", "tokens/s", "native", "of products", "of memory"],
    rows: select(all, { repeat: 0 }).map(({ batch, depth }) => {
      const rows = select(all, { batch, depth });
      const step = spread(rows.map((row) => row.step))!;
      return [
        String(batch),
        String(depth),
        milliseconds(step.median),
        `${milliseconds(step.least)}–${milliseconds(step.most)}`,
        whole((1000 * batch) / step.median),
        // The repeats' own ratios, as the machine's speed drifts between them.
        share(rows.map((row) => row.native / row.step)),
        share(rows.map((row) => row.products / row.step)),
        share(rows.flatMap((row) => (row.memory === null ? [] : row.memory / row.step))),
      ];
    }),
  };
}

function prefillTable({ prefill }: Results, model: string, precision: Precision): Table {
  const all = select(prefill, { model, precision });
  return {
    title: `${model}, ${precision}: prefill of one prompt in the engine`,
    columns: ["tokens", "ms", "tokens/s", "native", "of products"],
    rows: distinct(all.map((row) => row.tokens)).map((tokens) => {
      const rows = select(all, { tokens });
      const total = median(rows.map((row) => row.total));
      return [
        String(tokens),
        milliseconds(total),
        whole((1000 * tokens) / total),
        share(rows.map((row) => row.native / row.total)),
        share(rows.map((row) => row.products / row.total)),
      ];
    }),
  };
}

function peerEnginesTable({ models, decode, peerEngines }: Results, model: string): Table {
  const rows = select(peerEngines, { model });
  const batches = distinct(rows.map(({ batch }) => batch));
  const depth = Math.floor((models.find(({ name }) => name === model)?.context ?? 0) / 2);
  const ours = batches.map((batch) =>
    rateOf(
      select(decode, { model, precision: "int8", batch, depth }).map(({ step }) => (1000 * batch) / step),
    ),
  );
  const others = distinct(rows.map(({ system }) => system)).map((system) => [
    system,
    ...batches.map((batch) => rateOf(select(rows, { system, batch }).map((row) => row.tokensPerSecond))),
  ]);
  return {
    title: `${model}: decoding in the engine alone, tokens per second by batch`,
    note: "Ours a half of the window deep, the others from a quarter to a half of it.",
    columns: ["", ...batches.map(String)],
    rows: others.length === 0 ? [] : [[OURS, ...ours], ...others],
  };
}

function latencyTable(results: Results, model: string): Table {
  const joining = select(results.joining, { model });
  const reuse = select(results.reuse, { model });
  const ms = <Row>(rows: readonly Row[], of: (row: Row) => number) => milliseconds(median(rows.map(of)));
  const shared = reuse[0]?.shared;
  return {
    title: `${model}: latency`,
    columns: ["milliseconds", "median", "p99"],
    rows: [
      ...(joining.length === 0
        ? []
        : [
            [
              "ITL while 200-token prompts join a batch of 16",
              ms(joining, (row) => row.median),
              ms(joining, (row) => row.p99),
            ],
            ["the same between the prompts", ms(joining, (row) => row.undisturbed), NOT_MEASURED],
            ["TTFT of these prompts", ms(joining, (row) => row.firstToken), NOT_MEASURED],
          ]),
      ...(reuse.length === 0
        ? []
        : [
            [
              `TTFT over HTTP of a lone prompt of ${shared} tokens`,
              ms(reuse, (row) => row.first),
              NOT_MEASURED,
            ],
            [
              `TTFT over HTTP where the first ${shared} tokens were just served`,
              ms(reuse, (row) => row.again),
              NOT_MEASURED,
            ],
          ]),
    ],
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

/** The engine's own rates, and the medians of the repeats' own shares of them that HTTP leaves. */
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

export function openTables(results: Results, model: string): Table[] {
  const { firstTokenMs, meanInterTokenMs } = results.settings.bounds;
  return [
    {
      title: `${model}: requests that arrive at random (open loop)`,
      note: `Poisson arrivals of mixed prompts (16 to 200 tokens) and answers (16 to 150 tokens); the load is against the system's own rate in the closed loop. Good: first token within ${firstTokenMs} ms and ${meanInterTokenMs} ms a token on average. Milliseconds, p50 / p95 / p99.`,
      columns: "|load|arriving/s|good/s|good|TTFT|ITL|end to end|refused|unfinished|failed".split("|"),
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
    },
  ];
}

export function systemsTable({ systems }: Results): Table {
  const rows = systems.map(({ system, model, clients, settings }) => [
    system,
    model,
    String(clients),
    settings,
  ]);
  return { title: "Settings of the systems", columns: ["", "model", "clients", "settings"], rows };
}

export function problemsTable({ problems }: Results): Table {
  return {
    title: "Failures",
    columns: ["", "model", "clients", "why"],
    rows: problems.map(({ system, model, clients, reason }) => [
      system,
      model,
      String(clients ?? "any"),
      reason,
    ]),
  };
}

const kind = (stream: boolean) => (stream ? "streaming" : "whole answers");

/** A row of medians and, where repeats differ, one of their ranges. */
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
