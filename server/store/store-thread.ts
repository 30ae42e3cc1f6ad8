import { parentPort, workerData } from "node:worker_threads";
import { type Aside, removeOldAside } from "./aside.js";
import { type Database, type Found, isDamage, type Scrubbed, type Write } from "./database.js";
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
  keys: (prefix: string, after: string, limit: number) => string[];
  scrub: (after: string, limit: number) => Scrubbed;
  heal: (key: string) => Omit<Scrubbed, "next">;
  write: (writes: readonly Write[]) => void;
  /** Throws until the disk takes writes again. Opens the file first, and repairs it, if that is still to be done. */
  probe: (token: string) => { aside: string | null; removed: Aside[]; salvage: Salvage | null };
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
/** Whether a write failed because bytes in the file are wrong. */
let isSuspect = false;

function database(): Database {
  if (opened === null) throw new Error("expected an open database");
  return opened;
}

function repaired(): Salvage | null {
  opened?.close();
  const { database, salvage } = openSound(path, maxBytes, true);
  opened = database;
  isSuspect = false;
  return salvage;
}

const tasks: Tasks = {
  open: () => {
    const { database, salvage } = openSound(path, maxBytes);
    opened = database;
    return salvage;
  },
  get: (key) => database().get(key),
  page: (prefix, after, limit) => database().page(prefix, after, limit),
  keys: (prefix, after, limit) => database().keys(prefix, after, limit),
  scrub: (after, limit) => database().scrub(after, limit),
  heal: (key) => database().heal([key]),
  write: (writes) => {
    try {
      database().write(writes);
    } catch (error) {
      isSuspect ||= isDamage(error as NodeJS.ErrnoException) && database().isInPlace;
      throw error;
    }
  },
  probe: (token) => {
    // A thread that was started after another one's death has opened nothing.
    const salvage = isSuspect || opened === null ? repaired() : null;
    const aside = database().probe(token);
    return { aside, removed: aside === null ? [] : removeOldAside(path, aside), salvage };
  },
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
