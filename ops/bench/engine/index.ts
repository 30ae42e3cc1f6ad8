import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Report, Task, Tasks } from "./child.js";

const entry = fileURLToPath(new URL("./child.js", import.meta.url));
const children = new Set<ChildProcess>();

/** Measures the engine in a process of its own. @throws an error with a one-line message */
export function measureEngine<Name extends keyof Tasks>(
  name: Name,
  input: Parameters<Tasks[Name]>[0],
): Promise<Awaited<ReturnType<Tasks[Name]>>> {
  return new Promise((resolve, reject) => {
    const child = fork(entry, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    children.add(child);
    child.once("message", (report: Report) => {
      if ("error" in report) reject(new Error(report.error));
      else resolve(report.value as Awaited<ReturnType<Tasks[Name]>>);
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      children.delete(child);
      reject(new Error(`the measuring process ended with ${signal ?? code}`));
    });
    child.send({ name, input } as Task);
  });
}

/** Ends a running measurement, when the benchmark is interrupted. */
export function stopEngine(): void {
  for (const child of children) child.kill("SIGKILL");
}
