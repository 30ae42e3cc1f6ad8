/*
 * A process that runs one measurement of the engine. Nothing else runs in it, so its methods may be wrapped.
 */
import { alone } from "./alone.js";
import { steps } from "./steps.js";

const tasks = { alone, steps };

export type Tasks = typeof tasks;
export type Task = { [Name in keyof Tasks]: { name: Name; input: Parameters<Tasks[Name]>[0] } }[keyof Tasks];
export type Report = { value: unknown } | { error: string };

process.once("message", async ({ name, input }: Task) => {
  let report: Report;
  try {
    report = { value: await (tasks[name] as (input: unknown) => Promise<unknown>)(input) };
  } catch (error) {
    report = { error: (error as Error).message };
  }
  process.send!(report, () => process.disconnect());
});
