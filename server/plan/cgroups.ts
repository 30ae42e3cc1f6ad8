import { readFileSync } from "node:fs";
import { posix } from "node:path";

/** The text of a file, or null if it can't be read. */
export type ReadText = (path: string) => string | null;

export const readText: ReadText = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
};

/** A control group that this process is in. */
export interface Cgroup {
  version1: boolean;
  /** The text of one of its files, or null. */
  read(name: string): string | null;
  /** The number that is all of a file, or null. */
  number(name: string): number | null;
}

/**
 * This process's control groups, version 1 or 2, each with the groups above it up to the root: a container may see its
 * own group as the root.
 */
export function* cgroups(read: ReadText): Generator<Cgroup> {
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const mount = controllers === "" ? "/sys/fs/cgroup" : `/sys/fs/cgroup/${controllers}`;
    for (let group = posix.join("/", path); ; group = posix.dirname(group)) {
      const folder = posix.join(mount, group);
      const readFile = (name: string) => read(posix.join(folder, name));
      const number = (name: string) => {
        const text = readFile(name)?.trim();
        return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
      };
      yield { version1: controllers !== "", read: readFile, number };
      if (group === "/") break;
    }
  }
}

/** Version 1 says a number of about 2^63 where there is no limit. */
const UNLIMITED = 2 ** 60;

/** Memory of a control group, in bytes. */
export interface Room {
  limit: number;
  /** What may still be allocated. */
  free: number;
}

/**
 * A group's memory; null without a limit.
 * @param droppable counters of cached files in `memory.stat`. They count as used, but the kernel drops them first
 */
export function roomIn({ version1, read, number }: Cgroup, droppable: readonly string[]): Room | null {
  const limit = number(version1 ? "memory.limit_in_bytes" : "memory.max");
  const used = number(version1 ? "memory.usage_in_bytes" : "memory.current");
  if (limit === null || limit > UNLIMITED || used === null) return null;
  const stat = read("memory.stat") ?? "";
  const cached = droppable.map((name) =>
    Number(new RegExp(`^(?:total_)?${name} (\\d+)$`, "m").exec(stat)?.[1] ?? 0),
  );
  return { limit, free: cached.reduce((sum, bytes) => sum + bytes, limit - used) };
}

/** The room of the group that has the least; null if none has a limit. Cached files that are in use count as free too. */
export function leastRoom(read: ReadText = readText): Room | null {
  const rooms = [...cgroups(read)].flatMap((group) => roomIn(group, ["inactive_file", "active_file"]) ?? []);
  return rooms.reduce<Room | null>((least, room) => (least && least.free <= room.free ? least : room), null);
}
