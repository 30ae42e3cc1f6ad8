import { parentPort, workerData } from "node:worker_threads";
import type { Database, Found, Write } from "./database.js";
import { openSound, type Salvage } from "./salvage.js";

/** What the thread is started with. */
export interface ThreadOptions {
  path: string;
  maxBytes: number;
}

/** What the thread does, by the name of a request. Each request is answered in turn. */
export interface Tasks {
  open: () => Salvage | null;
  get: (key: string) => Found;
  page: (prefix: string, after: string, limit: number) => Found[];
  keys: (prefix: string) => string[];
  scrub: (after: number, limit: number) => { next: number | null; healed: number };
  write: (writes: readonly Write[]) => void;
  probe: (token: string) => string | null;
  close: () => void;
}

export interface Request {
  id: number;
  task: keyof Tasks;
  values: readonly unknown[];
}

export interface Reply {
  id: number;
  value?: unknown;
  /** The error's message, if the task failed. */
  failure?: string;
}

/*
 * SQLite's calls wait for the disk. Here they hold up nobody: the thread that answers clients only sends messages.
 */
const { path, maxBytes } = workerData as ThreadOptions;
let opened: Database | null = null;

function database(): Database {
  if (opened === null) throw new Error("expected an open database");
  return opened;
}

const tasks: Tasks = {
  open: () => {
    const { database, salvage } = openSound(path, maxBytes);
    opened = database;
    return salvage;
  },
  get: (key) => database().get(key),
  page: (prefix, after, limit) => database().page(prefix, after, limit),
  keys: (prefix) => database().keys(prefix),
  scrub: (after, limit) => database().scrub(after, limit),
  write: (writes) => database().write(writes),
  probe: (token) => database().probe(token),
  close: () => opened?.close(),
};

parentPort!.on("message", ({ id, task, values }: Request) => {
  let reply: Reply;
  try {
    reply = { id, value: (tasks[task] as (...values: unknown[]) => unknown)(...values) };
  } catch (error) {
    reply = { id, failure: (error as Error).message };
  }
  parentPort!.postMessage(reply);
});
