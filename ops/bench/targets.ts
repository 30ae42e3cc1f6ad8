import {
  ceilingShare,
  closedRate,
  decodeStep,
  distinct,
  engineRate,
  matches,
  servedShare,
} from "./figures.js";
import { OURS, type Results } from "./results.js";
import { median } from "./statistics.js";
import type { Table } from "./table.js";
import { bytesPerSlot } from "./tables.js";

/** What a run is held to. Each figure comes from one run: a ratio within it, as machines differ. */
export interface Target {
  name: string;
  /** The figure of this run; null where the run didn't measure it. */
  figure: number | null;
  atLeast?: number;
  atMost?: number;
}

/** Peers by what they are, as `--llama-server` may name several. */
const NODE_PEERS = ["node-llama-cpp", "transformers.js"];
const FASTAPI = "FastAPI + PyTorch";
const LLAMA_SERVER = "llama-server";

/** The first model, int8, unless it is said otherwise; whole answers over HTTP. */
export function targets(results: Results): Target[] {
  const [first, second] = results.models;
  if (!first) return [];
  const model = first.name;
  return [
    ...againstPeers(results, model),
    ...serving(results, model),
    ...(second ? largeVocabulary(results, second.name) : []),
    ...engine(results, model, first.context),
    ...latencies(results, model),
  ];
}

export function holds({ figure, atLeast, atMost }: Target): boolean | null {
  if (figure === null) return null;
  return (atLeast === undefined || figure >= atLeast) && (atMost === undefined || figure <= atMost);
}

export function targetsTable(results: Results, which: "all" | "measured" = "all"): Table {
  const shown = targets(results).filter((target) => which === "all" || target.figure !== null);
  return {
    title: "Targets",
    columns: ["target", "goal", "this run", ""],
    rows: shown.map((target) => {
      const { name, figure, atLeast, atMost } = target;
      const verdict = holds(target);
      return [
        name,
        atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`,
        figure === null ? "–" : figure.toPrecision(3),
        verdict === null ? "not measured" : verdict ? "met" : "not met",
      ];
    }),
  };
}

function againstPeers(results: Results, model: string): Target[] {
  const rate = (system: string, clients: number) =>
    closedRate(results, { model, system, clients, stream: false })?.median ?? null;
  const against = (system: string, clients: number, atLeast: number): Target => ({
    name: `tokens/s over HTTP against ${system}, ${count(clients)}`,
    figure: ratio(rate(OURS, clients), rate(system, clients)),
    atLeast,
  });
  const measured = distinct(
    results.closed.filter((row) => row.model === model).map(({ clients }) => clients),
  );
  return [
    ...NODE_PEERS.flatMap((system) => [
      against(system, 1, 5),
      ...measured.filter((clients) => clients >= 8).map((clients) => against(system, clients, 10)),
    ]),
    ...[
      [1, 1.5],
      [8, 3],
      [16, 5],
      [32, 5],
    ].map(([clients, atLeast]) => against(LLAMA_SERVER, clients!, atLeast!)),
    // A fork of it is faster; being ahead is the goal.
    ...llamaServers(results)
      .filter((system) => system !== LLAMA_SERVER)
      .flatMap((system) => [1, 8, 32].map((clients) => against(system, clients, 1))),
    against(FASTAPI, 8, 250),
  ];
}

function serving(results: Results, model: string): Target[] {
  const measured = distinct(results.alone.filter((row) => row.model === model).map(({ clients }) => clients));
  const rate = (clients: number) =>
    closedRate(results, { model, system: OURS, clients, stream: false })?.median ?? null;
  const at32 = rate(32);
  return [
    ...measured
      .filter((clients) => clients >= 8)
      .map((clients) => ({
        name: `tokens/s over HTTP of the engine alone, ${count(clients)}`,
        figure: servedShare(results, { model, system: OURS, clients }),
        atLeast: 0.95,
      })),
    ...[64, 128].map((clients) => {
      const figure = rate(clients);
      return {
        name: `tokens/s over HTTP, ${count(clients)} against 32`,
        figure: ratio(figure, at32),
        atLeast: 1,
      };
    }),
  ];
}

/** Against llama.cpp and the forks of it that were given. */
function largeVocabulary(results: Results, model: string): Target[] {
  const rate = (system: string, clients: number) =>
    closedRate(results, { model, system, clients, stream: false })?.median ?? null;
  const engineOf = (system: string, batch: number) => {
    const rows = results.peerEngines.filter((row) => matches(row, { model, system, batch }));
    return rows.length === 0 ? null : median(rows.map((row) => row.tokensPerSecond));
  };
  const fastest = (batch: number) => {
    const rates = llamaServers(results).flatMap((system) => engineOf(system, batch) ?? []);
    return rates.length === 0 ? null : Math.max(...rates);
  };
  return [
    ...llamaServers(results).flatMap((system) =>
      [1, 8, 32].map((clients) => ({
        name: `${model}: tokens/s over HTTP against ${system}, ${count(clients)}`,
        figure: ratio(rate(OURS, clients), rate(system, clients)),
        atLeast: 1,
      })),
    ),
    {
      name: `${model}: engine alone against ${LLAMA_SERVER}'s, batch 1`,
      figure: ratio(engineRate(results, model, 1), engineOf(LLAMA_SERVER, 1)),
      atLeast: 2.3,
    },
    {
      name: `${model}: engine alone against the fastest other, batch 1`,
      figure: ratio(engineRate(results, model, 1), fastest(1)),
      atLeast: 1,
    },
    ...[16, 32].map((batch) => ({
      name: `${model}: engine alone against the fastest other, batch ${batch}`,
      figure: ratio(engineRate(results, model, batch), fastest(batch)),
      atLeast: 2.5,
    })),
  ];
}

function engine(results: Results, model: string, context: number): Target[] {
  const depths = distinct(results.decode.filter((row) => row.model === model).map(({ depth }) => depth));
  const [shallow, deep] = [Math.min(...depths), Math.max(...depths)];
  const where = (batch: number, depth: number) => ({ model, precision: "int8" as const, batch, depth });
  const step = (batch: number, depth: number) => decodeStep(results, where(batch, depth))?.step ?? null;
  const [atEighth, atFull] = [step(16, shallow), step(16, deep)];
  const products = (depth: number): Target => ({
    name: `engine of the matrix products' ceiling, batch 32, ${depth} of ${context} tokens deep`,
    figure: ceilingShare(results, where(32, depth), "products"),
    atLeast: 0.6,
  });
  return [
    ...depths.map(products),
    {
      name: `engine of the products' ceiling with attention's, batch 32, ${deep} of ${context} tokens deep`,
      figure: ceilingShare(results, where(32, deep), "productsAndAttention"),
      atLeast: 0.6,
    },
    {
      name: `engine of the reading ceiling, batch 1, ${shallow} tokens deep, from a buffer of that size`,
      figure: ceilingShare(results, where(1, shallow), "reading"),
      atLeast: 0.5,
    },
    {
      name: `engine of the reading ceiling, batch 1, ${shallow} tokens deep, at memory's bandwidth`,
      figure: ceilingShare(results, where(1, shallow), "memory"),
      atLeast: 0.5,
    },
    {
      name: "a step at full window against one at an eighth of it, batch 16",
      figure: ratio(atFull, atEighth),
      atMost: 1.6,
    },
  ];
}

function latencies(results: Results, model: string): Target[] {
  const ofModel = <Row extends { model: string }>(rows: readonly Row[]) =>
    rows.filter((row) => row.model === model);
  const middle = (values: readonly number[]) => (values.length === 0 ? null : median(values));
  const first = ofModel(results.firstToken);
  return [
    {
      name: "p99 of ITL against its median while 200-token prompts join a batch of 16",
      figure: middle(ofModel(results.joining).map(({ p99, median: p50 }) => p99 / p50)),
      atMost: 1.5,
    },
    ...distinct(first.map(({ tokens }) => tokens)).map((tokens) => ({
      name: `time to first token over HTTP of a lone request against its bare prefill, ${tokens} tokens`,
      figure: middle(first.filter((row) => row.tokens === tokens).map(({ http, native }) => http / native)),
      atMost: 2,
    })),
    {
      name: "time to first token of a prompt whose first 200 tokens were just served against the first time",
      figure: middle(ofModel(results.again).map(({ again, first: before }) => again / before)),
      atMost: 0.333,
    },
    {
      name: "memory a slot against its cache",
      figure: middle(
        ofModel(results.memory).map(
          ({ resident, cacheBytesPerSlot }) => bytesPerSlot(resident) / cacheBytesPerSlot,
        ),
      ),
      atMost: 1.1,
    },
  ];
}

/** llama.cpp's server, and the forks of it that were given. */
function llamaServers({ settings }: Results): string[] {
  return distinct([LLAMA_SERVER, ...settings.llamaServers]);
}

function ratio(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one / other;
}

const count = (clients: number) => `${clients} client${clients === 1 ? "" : "s"}`;
