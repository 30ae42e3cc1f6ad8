import { existsSync } from "node:fs";
import type { CommandTable } from "./command.js";
import { catchSignals } from "./signals.js";

/** Every command, in the order in which `jai --help` lists them. */
export const commands: CommandTable = {
  import: { summary: "turn a checkpoint into a model folder", load: () => import("./import.js") },
  export: { summary: "write a model folder as a GGUF file for llama.cpp", load: () => import("./export.js") },
  list: { summary: "list the model folders", load: () => import("./list.js") },
  show: { summary: "describe a model folder", load: () => import("./show.js") },
  serve: {
    summary: "serve a model folder over HTTP",
    load: () => {
      catchSignals();
      return import("./serve.js");
    },
  },
  chat: { summary: "talk to a running server", load: () => import("./chat.js") },
  ps: { summary: "print what a running server does", load: () => import("./ps.js") },
  top: { summary: "watch what a running server does", load: () => import("./top.js") },
  jobs: { summary: "list, show or cancel a server's jobs", load: () => import("./jobs.js") },
  data: { summary: "check, repair or export stored jobs", load: () => import("./data.js") },
  bench: {
    summary: "measure tokens per second",
    load: () => {
      // The npm package has no ops/bench: say so, where import() would say only "cannot find module".
      if (!existsSync(new URL("../../ops/bench/index.js", import.meta.url)))
        throw new Error(
          "jai bench: expected a checkout of the repository, got the npm package, which has no benchmark",
        );
      return import("../../ops/bench/index.js");
    },
  },
  completion: { summary: "print a completion script for a shell", load: () => import("./completion.js") },
};
