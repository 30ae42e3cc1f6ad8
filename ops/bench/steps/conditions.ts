import { spawn } from "node:child_process";
import { closedLoop, tokensPerSecond } from "../load/closed-loop.js";
import type { System } from "../load/system.js";
import { CONDITIONS, type Condition } from "../results/results.js";
import type { Grid } from "./grid.js";
import type { Lineup } from "./lineup.js";
import type { Step } from "./step.js";

/**
 * The same closed loop in three conditions, in turns within each repeat, so that their ratios hold on a machine whose speed
 * drifts: with nothing beside it, beside a process that keeps a core busy, and with questions that were asked before.
 */
export function conditionSteps(lineup: Lineup, systems: readonly System[], grid: Grid): Step[] {
  return grid.conditionClients.flatMap((clients): Step[] => {
    const label = `${lineup.model.config.name}: conditions, ${clients} ${clients === 1 ? "client" : "clients"}`;
    const start = systems.map((system) => ({
      label: `${label}, starting ${system.name}`,
      run: async () => {
        await lineup.start(system, clients);
        // Now they were asked.
        await measure(lineup, system, "asked", grid.seconds);
      },
    }));
    const turns = Array.from({ length: grid.fewRepeats }, (_, repeat) =>
      systems.flatMap((system) =>
        CONDITIONS.map((condition) => ({
          label: `${label}, ${system.name}, ${condition}`,
          run: () => record(lineup, system, condition, clients, repeat, grid.seconds),
        })),
      ),
    );
    const stop = {
      label: `${label}, stopping`,
      run: async () => {
        for (const system of systems) await lineup.stop(system);
      },
    };
    return [...start, ...turns.flat(), stop];
  });
}

async function record(
  lineup: Lineup,
  system: System,
  condition: Condition,
  clients: number,
  repeat: number,
  seconds: number,
): Promise<void> {
  const rate = await measure(lineup, system, condition, seconds);
  if (rate === null) return;
  const model = lineup.model.config.name;
  lineup.results.conditions.push({
    model,
    repeat,
    system: system.name,
    clients,
    condition,
    tokensPerSecond: rate,
  });
}

/** Tokens per second; null if the system doesn't run. */
async function measure(
  lineup: Lineup,
  system: System,
  condition: Condition,
  seconds: number,
): Promise<number | null> {
  let rate: number | null = null;
  const { prompts } = lineup;
  const neighbour =
    condition === "busy" ? spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }) : null;
  try {
    await lineup.measure(system, async ({ ask, clients, tokens }) => {
      const next = () =>
        condition === "asked" ? prompts.askedBefore(tokens) : prompts.request(tokens, false);
      rate = tokensPerSecond(await closedLoop(ask, { clients, seconds, next }));
    });
  } finally {
    neighbour?.kill("SIGKILL");
  }
  return rate;
}
