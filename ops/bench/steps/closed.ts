import { measureEngine } from "../engine/index.js";
import { closedLoop, closedLoopFigures } from "../load/closed-loop.js";
import type { System } from "../load/system.js";
import { OURS } from "../results/results.js";
import type { Grid } from "./grid.js";
import type { Lineup } from "./lineup.js";
import type { Step } from "./step.js";

/**
 * For each number of clients, starts all systems and measures them in turns, so that a change in the machine's speed
 * affects all of them. The same loop also runs on our engine alone.
 */
export function closedSteps(lineup: Lineup, systems: readonly System[], grid: Grid): Step[] {
  return grid.clients.flatMap((clients): Step[] => {
    const label = `${lineup.model.config.name}: closed loop, ${clients} ${clients === 1 ? "client" : "clients"}`;
    const repeatsOf = (system: System, stream: boolean) => {
      const ours = system.name === OURS;
      if (stream && !(ours ? grid.streams : grid.peerStreams.includes(clients))) return 0;
      return ours && !stream ? grid.repeats : grid.fewRepeats;
    };
    const turns = Array.from({ length: grid.repeats }, (_, repeat) =>
      systems.flatMap((system): Step[] => {
        const kinds = [false, true].filter((stream) => repeat < repeatsOf(system, stream));
        const served = kinds.map((stream) => ({
          label: `${label}, ${system.name}${stream ? ", streaming" : ""}`,
          run: () => measureServer(lineup, system, { stream, repeat, seconds: grid.seconds }),
        }));
        if (system.name !== OURS) return served;
        const run = () => measureAlone(lineup, system, { clients, repeat, seconds: grid.seconds });
        return [...served, { label: `${label}, engine alone`, run }];
      }),
    );
    return [
      ...systems.map((system) => ({
        label: `${label}, starting ${system.name}`,
        run: () => lineup.start(system, clients),
      })),
      ...turns.flat(),
      {
        label: `${label}, stopping`,
        run: async () => {
          for (const system of systems) await lineup.stop(system);
        },
      },
    ];
  });
}

function measureServer(
  lineup: Lineup,
  system: System,
  { stream, repeat, seconds }: { stream: boolean; repeat: number; seconds: number },
): Promise<void> {
  return lineup.measure(system, async ({ ask, clients, tokens, streams }) => {
    if (stream && !streams) return;
    const next = () => lineup.prompts.request(tokens, stream);
    const figures = closedLoopFigures(await closedLoop(ask, { clients, seconds, next }));
    const cell = { model: lineup.model.config.name, repeat, system: system.name, clients, stream, tokens };
    lineup.results.closed.push({ ...cell, ...figures });
  });
}

async function measureAlone(
  lineup: Lineup,
  system: System,
  { clients, repeat, seconds }: { clients: number; repeat: number; seconds: number },
): Promise<void> {
  const { model, results } = lineup;
  const tokensPerSecond = await measureEngine("alone", {
    folder: model.folder,
    threads: results.settings.threads,
    clients,
    // The same answer length as over HTTP, even if that is shorter than wanted.
    tokens: lineup.runner(system)?.tokens ?? results.settings.tokens,
    seconds,
    seed: 1000 * clients + repeat,
  });
  results.alone.push({ model: model.config.name, repeat, clients, tokensPerSecond });
}
