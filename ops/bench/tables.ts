import {
  ceilingShare,
  closedRate,
  decodeStep,
  distinct,
  engineRate,
  matches,
  servedShare,
} from "./figures.js";
import { OURS, type Precision, type Results } from "./results.js";
import { median, type Percentiles, type Spread, spread } from "./statistics.js";
import type { Table } from "./table.js";

const NOT_MEASURED = "–";

export function engineTables(results: Results, model: string): Table[] {
  const precisions = distinct(
    results.decode.filter((row) => row.model === model).map((row) => row.precision),
  );
  const tables = precisions.flatMap((precision) => [
    decodeTable(results, model, precision),
    prefillTable(results, model, precision),
  ]);
  return [...tables, peerEnginesTable(results, model), latencyTable(results, model)].filter(
    ({ rows }) => rows.length > 0,
  );
}

function decodeTable(results: Results, model: string, precision: Precision): Table {
  const measured = results.decode.filter((row) => matches(row, { model, precision, repeat: 0 }));
  return {
    title: `${model}, ${precision}: a decode step of the engine`,
    note: "Milliseconds; parts in per cent of the step; the last four columns are the share of a ceiling that was measured in the same seconds: only the weights' products, these and attention's, only reading weights and cache from a buffer of just that size, and reading them at the rate of memory that no cache holds.",
    columns: [
      "batch",
      "depth",
      "step",
      "least–most",
      "tokens/s",
      "native",
      "sampling",
      "cache",
      "delivery",
      "rest",
      "of products",
      "with attention",
      "of reading",
      "of memory",
    ],
    rows: measured.map(({ batch, depth }) => {
      const where = { model, precision, batch, depth };
      const step = decodeStep(results, where)!;
      const range = spread(results.decode.filter((row) => matches(row, where)).map((row) => row.step))!;
      const part = (time: number) => percent(time / step.step);
      const share = (ceiling: Parameters<typeof ceilingShare>[2]) =>
        percent(ceilingShare(results, where, ceiling));
      return [
        String(batch),
        String(depth),
        milliseconds(step.step),
        `${milliseconds(range.least)}–${milliseconds(range.most)}`,
        whole((1000 * batch) / step.step),
        part(step.native),
        part(step.sampling),
        part(step.cache),
        part(step.delivery),
        part(step.rest),
        share("products"),
        share("productsAndAttention"),
        share("reading"),
        share("memory"),
      ];
    }),
  };
}

function prefillTable(results: Results, model: string, precision: Precision): Table {
  const all = results.prefill.filter((row) => matches(row, { model, precision }));
  return {
    title: `${model}, ${precision}: prefill of one prompt in the engine`,
    columns: ["tokens", "ms", "tokens/s", "native", "of products"],
    rows: distinct(all.map(({ tokens }) => tokens)).map((tokens) => {
      const rows = all.filter((row) => row.tokens === tokens);
      const total = median(rows.map((row) => row.total));
      return [
        String(tokens),
        milliseconds(total),
        whole((1000 * tokens) / total),
        percent(median(rows.map((row) => row.native / row.total))),
        percent(median(rows.map((row) => row.products / row.total))),
      ];
    }),
  };
}

function peerEnginesTable(results: Results, model: string): Table {
  const rows = results.peerEngines.filter((row) => row.model === model);
  const batches = distinct(rows.map(({ batch }) => batch));
  const ours = batches.map((batch) => {
    const figure = engineRate(results, model, batch);
    return figure === null ? NOT_MEASURED : rate(figure);
  });
  return {
    title: `${model}: decoding in the engine alone, tokens per second by batch`,
    note: "Ours a half of the window deep, the others from a quarter to a half of it.",
    columns: ["", ...batches.map(String)],
    rows:
      rows.length === 0
        ? []
        : [
            [OURS, ...ours],
            ...distinct(rows.map(({ system }) => system)).map((system) => [
              system,
              ...batches.map((batch) =>
                rate(
                  median(
                    rows.filter((row) => matches(row, { system, batch })).map((row) => row.tokensPerSecond),
                  ),
                ),
              ),
            ]),
          ],
  };
}

function latencyTable(results: Results, model: string): Table {
  const ofModel = <Row extends { model: string }>(rows: readonly Row[]) =>
    rows.filter((row) => row.model === model);
  const rows: string[][] = [];
  const row = (name: string, ...cells: string[]) => rows.push([name, ...cells]);
  const joining = ofModel(results.joining);
  if (joining.length > 0) {
    const of = (name: "median" | "p99" | "undisturbed" | "firstToken") =>
      median(joining.map((one) => one[name]));
    row(
      "ITL while 200-token prompts join a batch of 16",
      `p50 ${milliseconds(of("median"))} ms`,
      `p99 ${milliseconds(of("p99"))} ms`,
      `${times(median(joining.map(({ p99, median: p50 }) => p99 / p50)))} of p50`,
    );
    row("the same between the prompts", `p50 ${milliseconds(of("undisturbed"))} ms`, "", "");
    row("time to first token of these prompts", `p50 ${milliseconds(of("firstToken"))} ms`, "", "");
  }
  const first = ofModel(results.firstToken);
  for (const tokens of distinct(first.map((one) => one.tokens))) {
    const same = first.filter((one) => one.tokens === tokens);
    row(
      `time to first token of a lone request, ${tokens} tokens`,
      `${milliseconds(median(same.map(({ http }) => http)))} ms over HTTP`,
      `${milliseconds(median(same.map(({ engine }) => engine)))} ms in the engine`,
      `${times(median(same.map(({ http, native }) => http / native)))} of the bare prefill, ${milliseconds(median(same.map(({ native }) => native)))} ms`,
    );
  }
  const again = ofModel(results.again);
  if (again.length > 0)
    row(
      `time to first token, ${again[0]!.shared} tokens just served`,
      `${milliseconds(median(again.map((one) => one.again)))} ms`,
      `${milliseconds(median(again.map((one) => one.first)))} ms the first time`,
      `${times(median(again.map((one) => one.again / one.first)))} of it`,
    );
  const memory = ofModel(results.memory);
  if (memory.length > 0) {
    const perSlot = median(memory.map(({ resident }) => bytesPerSlot(resident)));
    const { cacheBytesPerSlot } = memory[0]!;
    row(
      "memory a slot",
      `${megabytes(perSlot)} MB`,
      `${megabytes(cacheBytesPerSlot)} MB of cache`,
      `${times(perSlot / cacheBytesPerSlot)} of it`,
    );
  }
  return { title: `${model}: latency and memory`, columns: ["", "", "", ""], rows };
}

export function bytesPerSlot(resident: readonly { slots: number; bytes: number }[]): number {
  const [few, many] = [resident[0]!, resident.at(-1)!];
  return (many.bytes - few.bytes) / (many.slots - few.slots);
}

export function closedTables(results: Results, model: string): Table[] {
  const rows = results.closed.filter((row) => row.model === model);
  if (rows.length === 0) return [];
  const clients = distinct(rows.map((row) => row.clients));
  return [false, true].flatMap((stream) => {
    const systems = distinct(rows.filter((row) => row.stream === stream).map((row) => row.system));
    if (systems.length === 0) return [];
    const kind = stream ? "streaming" : "whole answers";
    const rates: Table = {
      title: `${model}: tokens per second over HTTP by number of clients, ${kind}`,
      note: "Medians of the repeats; below them the least and the most.",
      columns: ["", ...clients.map(String)],
      rows: systems.flatMap((system) => {
        const spreads = clients.map((count) =>
          closedRate(results, { model, system, clients: count, stream }),
        );
        return [
          [system, ...spreads.map((one) => (one ? rate(one.median) : NOT_MEASURED))],
          ...(spreads.some(isRange) ? [["", ...spreads.map(range)]] : []),
        ];
      }),
    };
    if (!stream) rates.rows.push(...aloneRows(results, model, clients));
    return [rates, closedLatencies(results, model, stream, systems, clients)];
  });
}

function aloneRows(results: Results, model: string, clients: readonly number[]): string[][] {
  const rates = clients.map((count) =>
    spread(
      results.alone
        .filter((row) => matches(row, { model, clients: count }))
        .map((row) => row.tokensPerSecond),
    ),
  );
  if (rates.every((one) => one === null)) return [];
  const shares = clients.map((count) =>
    percent(servedShare(results, { model, system: OURS, clients: count })),
  );
  return [
    [`${OURS}'s engine alone`, ...rates.map((one) => (one ? rate(one.median) : NOT_MEASURED))],
    ...(rates.some(isRange) ? [["", ...rates.map(range)]] : []),
    [`${OURS} over HTTP, of this`, ...shares],
  ];
}

function closedLatencies(
  results: Results,
  model: string,
  stream: boolean,
  systems: readonly string[],
  clients: readonly number[],
): Table {
  return {
    title: `${model}: latency by number of clients, ${stream ? "streaming" : "whole answers"}`,
    note: "Milliseconds, p50 / p95 / p99. A request asks for this many tokens: fewer where a system is too slow.",
    columns: ["", "clients", "tokens", "requests", ...(stream ? ["TTFT", "ITL"] : []), "end to end"],
    rows: systems.flatMap((system) =>
      clients.flatMap((count) => {
        const rows = results.closed.filter((row) => matches(row, { model, system, clients: count, stream }));
        if (rows.length === 0) return [];
        const of = (name: "firstToken" | "interToken" | "endToEnd") =>
          percentilesCell(rows.flatMap((row) => row[name] ?? []));
        return [
          [
            system,
            String(count),
            distinct(rows.map(({ tokens }) => String(tokens))).join("–"),
            String(rows.reduce((sum, row) => sum + row.requests, 0)),
            ...(stream ? [of("firstToken"), of("interToken")] : []),
            of("endToEnd"),
          ],
        ];
      }),
    ),
  };
}

export function openTables(results: Results, model: string): Table[] {
  const rows = results.open.filter((row) => row.model === model);
  if (rows.length === 0) return [];
  const { firstTokenMs, meanInterTokenMs } = results.settings.bounds;
  return [
    {
      title: `${model}: requests that arrive at random (open loop)`,
      note: `Poisson arrivals of mixed prompts (16 to 200 tokens) and answers (16 to 150 tokens); the load is against the system's own rate in the closed loop. Good: first token within ${firstTokenMs} ms and ${meanInterTokenMs} ms a token on average. Milliseconds, p50 / p95 / p99.`,
      columns: [
        "",
        "load",
        "arriving/s",
        "good/s",
        "good",
        "TTFT",
        "ITL",
        "end to end",
        "refused",
        "unfinished",
        "failed",
      ],
      rows: rows.map((row) => [
        row.system,
        row.load.toFixed(2),
        row.perSecond.toFixed(1),
        (row.good / row.seconds).toFixed(1),
        percent(row.good / Math.max(1, row.offered)),
        percentilesCell(row.firstToken ? [row.firstToken] : []),
        percentilesCell(row.interToken ? [row.interToken] : []),
        percentilesCell(row.endToEnd ? [row.endToEnd] : []),
        row.refused === 0 ? "0" : `${row.refused} (${row.refusedWithRetryAfter} with Retry-After)`,
        String(row.unfinished),
        String(row.failed),
      ]),
    },
  ];
}

export function systemsTable({ systems }: Results): Table {
  const rows = new Map<string, { model: string; system: string; settings: string; clients: number[] }>();
  for (const { model, system, settings, clients } of systems) {
    const key = `${model}\n${system}\n${settings}`;
    const row = rows.get(key) ?? { model, system, settings, clients: [] };
    rows.set(key, { ...row, clients: distinct([...row.clients, clients]) });
  }
  return {
    title: "What ran with which settings",
    columns: ["", "model", "clients", "settings"],
    rows: [...rows.values()].map(({ model, system, settings, clients }) => [
      system,
      model,
      clients.join(", "),
      settings,
    ]),
  };
}

export function problemsTable({ problems }: Results): Table {
  return {
    title: "What could not be measured",
    columns: ["", "model", "clients", "why"],
    rows: problems.map(({ system, model, clients, reason }) => [
      system,
      model,
      clients === null ? "any" : String(clients),
      reason,
    ]),
  };
}

/** The medians of repeats' percentiles. */
function percentilesCell(all: readonly Percentiles[]): string {
  if (all.length === 0) return NOT_MEASURED;
  return (["p50", "p95", "p99"] as const)
    .map((name) => milliseconds(median(all.map((one) => one[name]))))
    .join(" / ");
}

const isRange = (one: Spread | null) => one !== null && one.most > one.least;

function range(one: Spread | null): string {
  return one ? `${rate(one.least)}–${rate(one.most)}` : "";
}

function percent(share: number | null): string {
  return share === null ? NOT_MEASURED : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

const rate = (value: number) => (value < 20 ? value.toFixed(1) : whole(value));
const whole = (value: number) => Math.round(value).toLocaleString("en");
const times = (ratio: number) => `${ratio.toFixed(2)} ×`;
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(2);

function milliseconds(value: number): string {
  return value < 100 ? value.toPrecision(3) : whole(value);
}
