import { Random } from "../../models/recipe/random.js";
import { poissonArrivals } from "./arrivals.js";
import type { Grid } from "./grid.js";
import type { Lineup } from "./lineup.js";
import { BOUNDS, openLoop, openLoopFigures } from "./open-loop.js";
import { OURS, type Results } from "./results.js";
import { median } from "./statistics.js";
import type { Step } from "./step.js";
import type { System } from "./system.js";

const PROMPT_TOKENS = { least: 16, most: 200 };
const ANSWER_TOKENS = { least: 16, most: 150 };
/** As many as the systems' slots in this part. */
const CLIENTS = 32;
/** A request that comes last and keeps the bounds has been answered by then. */
const PATIENCE_SECONDS = (BOUNDS.firstTokenMs + ANSWER_TOKENS.most * BOUNDS.meanInterTokenMs) / 1000;
/** A system of fewer requests per second answers too few in a measurement to say anything. */
const LEAST_PER_SECOND = 2;
export const TOO_SLOW = `no open loop: expected ${LEAST_PER_SECOND} requests a second in the closed loop, got fewer`;

/** Requests that come when they come, at ever higher rates, up to and past what the system did in the closed loop. */
export function openSteps(lineup: Lineup, systems: readonly System[], grid: Grid, results: Results): Step[] {
  return systems.flatMap((system) => {
    const loads = system.name === OURS ? grid.loads.ours : grid.loads.peers;
    const label = `${lineup.model}: open loop, ${system.name}`;
    if (loads.length === 0) return [];
    return [
      ...loads.map(
        (load, index): Step => ({
          label: `${label}, load ${load}`,
          seconds: grid.openSeconds + 2 + (index === 0 ? 4 : 0),
          run: () => measureLoad(lineup, system, load, grid, results),
        }),
      ),
      { label: `${label}, stopping`, seconds: 1, run: () => lineup.stop(system) },
    ];
  });
}

async function measureLoad(
  lineup: Lineup,
  system: System,
  load: number,
  grid: Grid,
  results: Results,
): Promise<void> {
  const { model } = lineup;
  const perSecond = load * requestsPerSecond(model, system, results);
  if (!(perSecond >= load * LEAST_PER_SECOND)) {
    const reason = `${TOO_SLOW}, at load ${load}`;
    results.problems.push({ model, system: system.name, clients: null, reason });
    return;
  }
  if (!lineup.runner(system)) await lineup.start(system, CLIENTS);
  const runner = lineup.runner(system);
  if (!runner) return;

  const context = results.models.find(({ name }) => name === model)!.context;
  const random = new Random(Math.round(1000 * load));
  const schedule = poissonArrivals(perSecond, grid.openSeconds, Math.round(1000 * load)).map((at) => {
    const answer = random.int(ANSWER_TOKENS.least, ANSWER_TOKENS.most);
    const prompt = random.int(PROMPT_TOKENS.least, Math.min(PROMPT_TOKENS.most, Math.floor(0.8 * context)));
    return { at, request: lineup.request(answer, runner.streams, prompt) };
  });
  const ask = runner.running.ask.bind(runner.running);
  const outcomes = await openLoop(ask, schedule, PATIENCE_SECONDS);
  results.open.push({
    model,
    system: system.name,
    load,
    perSecond,
    seconds: grid.openSeconds,
    ...openLoopFigures(outcomes),
  });
  // What is still under way would be in the next measurement.
  if (outcomes.some(({ type }) => type === "unfinished")) await lineup.stop(system);
}

/** What a system did in the closed loop, in requests of this part's mean length. */
function requestsPerSecond(model: string, system: System, results: Results): number {
  const rows = results.closed.filter(
    (row) => row.model === model && row.system === system.name && !row.stream,
  );
  const rates = rows
    .filter(({ clients }) => clients <= CLIENTS)
    .map(({ clients }) =>
      median(rows.filter((row) => row.clients === clients).map((row) => row.tokensPerSecond)),
    );
  return Math.max(...rates) / ((ANSWER_TOKENS.least + ANSWER_TOKENS.most) / 2);
}
