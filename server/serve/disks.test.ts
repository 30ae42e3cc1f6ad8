/*
 * A whole server on a disk that is full, or read-only, at random moments under load. What it has promised holds: no job of
 * a 202 is lost, and every answer and result is that of an undisturbed run. JAI_TEST_ATTACKS sets the number of moments,
 * JAI_TEST_SEED the seed. The disks need root on Linux.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";
import { uniform } from "../../workers/engine/sampling/philox.js";
import { ext4Disk, memoryDisk, NEEDS_ROOT } from "../fixtures/small-disk.js";
import { Store } from "../store/store.js";

const COUNT = Number(process.env.JAI_TEST_ATTACKS ?? 3);
const SEED = Number(process.env.JAI_TEST_SEED ?? 1);
const CLIENTS = 6;
/** Different requests; each is asked for many times. */
const KINDS = 8;
/** Moments after which a new data folder is taken: records are kept for a day, and the disk is small. */
const MOMENTS_OF_A_FOLDER = 8;

const folder = mkdtempSync(join(tmpdir(), "jai-disks-"));
const model = join(folder, "model");
const right: string[] = [];
const bodyOf = (kind: number) => ({
  prompt: `request ${kind}`,
  max_tokens: 12,
  ignore_eos: true,
  seed: kind,
});
before(async () => {
  await writeFixtureModel(model, "int8");
  const server = await ServerProcess.ready(model);
  for (let kind = 0; kind < KINDS; kind++) {
    const { text } = await server.request("POST", "/generate", bodyOf(kind));
    right.push((JSON.parse(text) as { generated: string }).generated);
  }
  await server.stop();
});
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

function dice(salt: number): (bound: number) => number {
  let position = 0;
  return (bound) => Math.floor(uniform([SEED, salt], position++) * bound);
}

/** Clients that ask for jobs and, with keys, for answers, and what they were promised. */
class Clients {
  server: ServerProcess;
  /** The kind of each job that got a 202. */
  readonly jobs = new Map<string, number>();
  /** The kind of each key whose answer was 200. */
  readonly answers = new Map<string, number>();
  readonly statuses = new Map<number, number>();
  #asked = 0;
  #stopped = false;
  #onAnswer: (() => void)[] = [];

  constructor(server: ServerProcess) {
    this.server = server;
  }

  async run(): Promise<void> {
    this.#stopped = false;
    await Promise.all(Array.from({ length: CLIENTS }, () => this.#client()));
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves after so many answers, with whatever status, or when the server is gone. */
  async someAnswers(count: number): Promise<void> {
    for (let n = 0; n < count && !this.#stopped; n++)
      await new Promise<void>((resolve) => this.#onAnswer.push(resolve));
  }

  async ask(path: string, kind: number, key: string) {
    const response = await fetch(`http://127.0.0.1:${this.server.port}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify(bodyOf(kind)),
    });
    return { status: response.status, body: (await response.json()) as { id: string; generated: string } };
  }

  async #client(): Promise<void> {
    while (!this.#stopped) {
      const number = this.#asked++;
      const [key, kind] = [`key-${number}`, number % KINDS];
      try {
        const { status, body } = await this.ask(number % 2 === 0 ? "/jobs" : "/generate", kind, key);
        assert.ok([200, 202, 503, 507].includes(status), `got ${status}`);
        this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
        if (status === 202) this.jobs.set(body.id, kind);
        if (status !== 200) continue;
        assert.equal(body.generated, right[kind], "a wrong answer");
        this.answers.set(key, kind);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        // The server was killed: this request was promised nothing.
        this.#stopped = true;
      } finally {
        for (const wake of this.#onAnswer.splice(0)) wake();
      }
    }
  }

  /**
   * Every job that was promised is there and ends with its text; every answer comes again.
   * @param isBroken whether the disk may be in a state in which SQLite can't read either: 500, and nothing wrong
   */
  async hold(isBroken = false): Promise<void> {
    for (const [id, kind] of this.jobs) {
      for (;;) {
        const { status, text } = await this.server.request("GET", `/jobs/${id}`);
        if (isBroken && status === 500) break;
        assert.equal(status, 200, `job ${id} is lost`);
        const { state, result } = JSON.parse(text) as { state: string; result?: { generated: string } };
        assert.ok(["queued", "running", "done"].includes(state), `${id} ${text}`);
        // A job whose body can't be read waits until it can.
        if (state !== "done" && isBroken) break;
        if (state !== "done") continue;
        assert.equal(result!.generated, right[kind], "a wrong result");
        break;
      }
    }
    for (const [key, kind] of this.answers) {
      const { status, body } = await this.ask("/generate", kind, key);
      if (!(isBroken && status === 500)) assert.deepEqual([status, body.generated], [200, right[kind]]);
    }
  }

  async untilWritable(): Promise<void> {
    for (;;) {
      const { text } = await this.server.request("GET", "/health");
      if ((JSON.parse(text) as { store: { writable: boolean } }).store.writable) return;
    }
  }
}

test("a disk that is full at random moments costs no promise, with and without a kill meanwhile", async (context) => {
  const disk = memoryDisk(context, 6);
  if (disk === null) return context.skip(NEEDS_ROOT);
  const roll = dice(20);
  const ballast = join(disk.path, "ballast");
  let data = join(disk.path, "data");
  const start = () => ServerProcess.ready(model, { JAI_DATA_DIR: data });
  let clients = new Clients(await start());
  const sum = { jobs: 0, answers: 0, refused: 0, kills: 0, fullStarts: 0 };
  for (let moment = 0; moment < COUNT; moment++) {
    const running = clients.run();
    await clients.someAnswers(roll(30));
    disk.fill(ballast, roll(6) * 4096);
    await clients.someAnswers(1 + roll(40));
    const kill = roll(4) === 0;
    if (kill) {
      clients.server.kill("SIGKILL");
      await clients.server.exit;
      sum.kills++;
    } else clients.stop();
    await running;
    // Half of those that were killed start again on the full disk.
    const isFullStart = kill && roll(2) === 0;
    if (isFullStart) clients.server = await start();
    rmSync(ballast);
    if (isFullStart) sum.fullStarts++;
    else if (kill) clients.server = await start();
    await clients.untilWritable();
    await clients.hold();
    if (moment % MOMENTS_OF_A_FOLDER !== MOMENTS_OF_A_FOLDER - 1 && moment !== COUNT - 1) continue;
    sum.jobs += clients.jobs.size;
    sum.answers += clients.answers.size;
    sum.refused += clients.statuses.get(507) ?? 0;
    await clients.server.stop();
    // Once more from the disk alone.
    clients.server = await start();
    await clients.hold();
    await clients.server.stop();
    rmSync(data, { recursive: true });
    data = join(disk.path, `data-${moment}`);
    clients = new Clients(await start());
  }
  await clients.server.stop();
  context.diagnostic(
    `seed ${SEED}: ${COUNT} full disks, ${sum.kills} kills meanwhile, ${sum.fullStarts} starts on the full disk; ` +
      `${sum.jobs} 202s, 0 lost; ${sum.answers} answers with keys, 0 wrong; ${sum.refused} refused with 507`,
  );
  assert.ok(sum.refused > 0);
});

test("a new store on a full disk is refused for that, and not as damaged", async (context) => {
  const disk = memoryDisk(context, 1);
  if (disk === null) return context.skip(NEEDS_ROOT);
  disk.fill(join(disk.path, "ballast"), 0);
  await assert.rejects(Store.open(disk.path), /: no space is left on the disk of [^ ]*jobs$/);
});

test("a disk in memory refuses to become read-only below a server", async (context) => {
  const disk = memoryDisk(context, 6);
  if (disk === null) return context.skip(NEEDS_ROOT);
  const clients = new Clients(await ServerProcess.ready(model, { JAI_DATA_DIR: join(disk.path, "data") }));
  const running = clients.run();
  await clients.someAnswers(20);
  assert.throws(() => disk.remount("ro"));
  await clients.someAnswers(20);
  clients.stop();
  await running;
  assert.equal(clients.statuses.get(507), undefined);
  await clients.hold();
  await clients.server.stop();
});

test("a file system that aborts and is read-only from then on costs no promise", async (context) => {
  const disk = ext4Disk(context, 24);
  if (disk === null) return context.skip("needs root on Linux, loop devices and mkfs.ext4");
  const start = () => ServerProcess.ready(model, { JAI_DATA_DIR: join(disk.path, "data") });
  const clients = new Clients(await start());
  const running = clients.run();
  await clients.someAnswers(30);
  // As the kernel does when it finds the file system damaged: open files can't be written any more either.
  disk.remount("abort");
  await clients.someAnswers(40);
  clients.stop();
  await running;
  assert.ok(clients.statuses.get(507)! > 0);
  await clients.hold(true);
  const { text } = await clients.server.request("GET", "/health");
  assert.equal((JSON.parse(text) as { store: { writable: boolean } }).store.writable, false);
  const plain = await clients.server.request("POST", "/generate", bodyOf(1));
  assert.equal(plain.status, 200, "without a promise, it goes on");
  await clients.server.stop();
  disk.replug();
  clients.server = await start();
  await clients.hold();
  await clients.server.stop();
  context.diagnostic(
    `${clients.jobs.size} 202s, 0 lost; ${clients.answers.size} answers; ${clients.statuses.get(507)} refused`,
  );
});
