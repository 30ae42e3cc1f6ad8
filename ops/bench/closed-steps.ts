import { measureEngine } from "./engine/index.js";
import type { Grid } from "./grid.js";
import type { Lineup } from "./lineup.js";
import { OURS, type Results } from "./results.js";
import type { Step } from "./step.js";
import type { Subject } from "./subject.js";
import type { System } from "./system.js";

const START_SECONDS = 4;

/**
 * For each number of clients all systems are started, and then measured in turns, so that a change in the machine's speed
 * meets all of them; ours beside the same loop on its engine alone.
 */
export function closedSteps(
  subject: Subject,
  lineup: Lineup,
  systems: readonly System[],
  grid: Grid,
  results: Results,
): Step[] {
  const model = subject.bench.name;
  const { threads, tokens } = results.settings;
  return grid.clients.flatMap((clients): Step[] => {
    const label = `${model}: closed loop, ${clients} ${clients === 1 ? "client" : "clients"}`;
    const isOurs = (system: System) => system.name === OURS;
    const repeatsOf = (system: System, stream: boolean) => {
      const { ours, peers } = grid.streamed;
      if (stream && !(isOurs(system) ? ours : peers).includes(clients)) return 0;
      if (isOurs(system)) return stream ? grid.fewRepeats : grid.repeats;
      return !stream && grid.peerRepeated.includes(clients) ? grid.peerRepeats : 1;
    };
    const seconds = (system: System) =>
      isOurs(system) ? grid.seconds * (clients > 32 ? 1.5 : 1.1) : grid.seconds * (clients > 4 ? 2.2 : 1.3);
    const measured = (system: System, stream: boolean, repeat: number): Step => ({
      label: `${label}, ${system.name}${stream ? ", streaming" : ""}`,
      seconds: seconds(system),
      run: () => lineup.measure(system, stream, repeat),
    });
    const steps: Step[] = systems.map((system) => ({
      label: `${label}, starting ${system.name}`,
      seconds: START_SECONDS,
      run: () => lineup.start(system, clients),
    }));
    for (let repeat = 0; repeat < grid.repeats; repeat++) {
      for (const system of systems) {
        for (const stream of [false, true])
          if (repeat < repeatsOf(system, stream)) steps.push(measured(system, stream, repeat));
        if (isOurs(system))
          steps.push({
            label: `${label}, engine alone`,
            seconds: grid.seconds + 1,
            run: async () => {
              const tokensPerSecond = await measureEngine("alone", {
                folder: subject.bench.folder,
                threads,
                clients,
                // The same answers as over HTTP, be they shorter than wished.
                tokens: lineup.runner(system)?.tokens ?? tokens,
                seconds: grid.seconds,
                seed: 1000 * clients + repeat,
              });
              results.alone.push({ model, repeat, clients, tokensPerSecond });
            },
          });
      }
    }
    steps.push({
      label: `${label}, stopping`,
      seconds: 1,
      run: async () => {
        for (const system of systems) await lineup.stop(system);
      },
    });
    return steps;
  });
}
