import { Random } from "../../../models/recipe/random.js";
import { BOUNDS, openLoop, openLoopFigures, poissonArrivals } from "../load/open-loop.js";
import type { System } from "../load/system.js";
import { OURS } from "../results/results.js";
import { distinct, select } from "../results/rows.js";
import { median } from "../results/statistics.js";
import type { Grid } from "./grid.js";
import type { Lineup } from "./lineup.js";
import type { Step } from "./step.js";

const PROMPT_TOKENS = { least: 16, most: 200 };
const ANSWER_TOKENS = { least: 16, most: 150 };
/** Number of slots of the systems in this part. */
const CLIENTS = 32;
/** Wait after the last arrival: by then even that request is answered if it keeps the bounds. */
const PATIENCE_SECONDS = (BOUNDS.firstTokenMs + ANSWER_TOKENS.most * BOUNDS.meanInterTokenMs) / 1000;
/** With fewer requests per second, a measurement has too few answers to mean anything. */
const LEAST_PER_SECOND = 2;
export const TOO_SLOW = `no open loop: expected ${LEAST_PER_SECOND} requests a second in the closed loop, got fewer`;

/** Steps with random arrivals at increasing rates, up to and beyond the system's rate in the closed loop. */
export function openSteps(lineup: Lineup, systems: readonly System[], grid: Grid): Step[] {
  return systems.flatMap((system) => {
    const loads = system.name === OURS ? grid.loads : grid.peerLoads;
    const label = `${lineup.model.config.name}: open loop, ${system.name}`;
    const steps = loads.map((load) => ({
      label: `${label}, load ${load}`,
      run: () => measureLoad(lineup, system, load, grid.openSeconds),
    }));
    return steps.length === 0
      ? []
      : [...steps, { label: `${label}, stopping`, run: () => lineup.stop(system) }];
  });
}

async function measureLoad(lineup: Lineup, system: System, load: number, seconds: number): Promise<void> {
  const { model, prompts, results } = lineup;
  const perSecond = load * requestsPerSecond(lineup, system);
  if (!(perSecond >= load * LEAST_PER_SECOND)) {
    lineup.note(system, null, new Error(`${TOO_SLOW}, at load ${load}`));
    return;
  }
  if (!lineup.runner(system)) await lineup.start(system, CLIENTS);
  await lineup.measure(system, async ({ ask, streams }) => {
    const seed = Math.round(1000 * load);
    const random = new Random(seed);
    const longest = Math.min(PROMPT_TOKENS.most, Math.floor(0.8 * model.config.n_positions));
    const schedule = poissonArrivals(perSecond, seconds, seed).map((at) => {
      const answer = random.int(ANSWER_TOKENS.least, ANSWER_TOKENS.most);
      return { at, request: prompts.request(answer, streams, random.int(PROMPT_TOKENS.least, longest)) };
    });
    const outcomes = await openLoop(ask, schedule, PATIENCE_SECONDS);
    const cell = { model: model.config.name, system: system.name, load, perSecond, seconds };
    results.open.push({ ...cell, ...openLoopFigures(outcomes) });
    // Restart the system: unfinished requests would disturb the next measurement.
    if (outcomes.includes("unfinished")) await lineup.stop(system);
  });
}

/** The system's best rate in the closed loop, converted to requests of this part's mean length. */
function requestsPerSecond({ model, results }: Lineup, system: System): number {
  const all = select(results.closed, { model: model.config.name, system: system.name, stream: false });
  const rows = all.filter(({ clients }) => clients <= CLIENTS);
  const rates = distinct(rows.map(({ clients }) => clients)).map((clients) =>
    median(select(rows, { clients }).map(({ tokensPerSecond }) => tokensPerSecond)),
  );
  return Math.max(...rates) / ((ANSWER_TOKENS.least + ANSWER_TOKENS.most) / 2);
}
