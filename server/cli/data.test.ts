import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../jobs/fixture.js";
import { Store } from "../store/store.js";

const cli = fileURLToPath(new URL("../cli.js", import.meta.url));
const jai = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, "data", ...args], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};

async function folderWithJobs(context: Parameters<typeof temporaryFolder>[0]): Promise<string> {
  const folder = temporaryFolder(context);
  const store = await Store.open(folder);
  await store.write([
    ["job/1", '{"id":"one"}'],
    ["body/one", '{"prompt":"서울"}'],
    ["body/two", '{"prompt":"lost-of-both"}'],
  ]);
  await store.close();
  return folder;
}

test("a sound folder is called so, and its records are exported", async (context) => {
  const folder = await folderWithJobs(context);
  const file = join(folder, "jobs/jobs.sqlite");
  assert.deepEqual(jai("check", "--data-dir", folder), {
    status: 0,
    stdout: `${file}: 1 job, 2 bodies of jobs\nno damage was found: every record is what was written\n`,
    stderr: "",
  });
  assert.match(jai("repair", "--data-dir", folder).stdout, /^no damage was found: nothing was changed\n$/);
  const lines = jai("export", "--data-dir", folder).stdout.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)).sort((one, other) => (one.key < other.key ? -1 : 1)),
    [
      { key: "body/one", value: { prompt: "서울" } },
      { key: "body/two", value: { prompt: "lost-of-both" } },
      { key: "job/1", value: { id: "one" } },
    ],
  );
});

test("damage is named with status 1, repaired, and what was moved aside can be exported", async (context) => {
  const folder = await folderWithJobs(context);
  const file = join(folder, "jobs/jobs.sqlite");
  writeFileSync(
    file,
    readFileSync(file).toString("latin1").replaceAll("lost-of-both", "lost-of-Both"),
    "latin1",
  );
  const { status, stdout, stderr } = jai("check", "--data-dir", folder);
  assert.equal(status, 1);
  assert.equal(
    stdout,
    `${file}: 1 job, 1 body of a job\nthe file is damaged: a record in entries is not what was written\nof its records 1 is lost\n  lost: body/two\n`,
  );
  assert.match(stderr, /^jai data repair keeps this file under another name .*\n$/);
  const repaired = jai("repair", "--data-dir", folder);
  assert.equal(repaired.status, 0);
  assert.match(
    repaired.stdout,
    /2 records are kept, 1 is lost\n {2}lost: body\/two\nthe damaged file is now /,
  );
  assert.equal(jai("check", "--data-dir", folder).status, 0);
  const aside = readdirSync(join(folder, "jobs")).find((name) => name.includes(".damaged-"))!;
  assert.match(jai("export", "--file", join(folder, "jobs", aside)).stdout, /서울/);
});

test("a folder without jobs, one in use, and wrong usage are told in one line", async (context) => {
  const folder = temporaryFolder(context);
  assert.deepEqual(jai("check", "--data-dir", folder), {
    status: 1,
    stdout: "",
    stderr: `there are no jobs in ${folder}: expected ${join(folder, "jobs/jobs.sqlite")}\n`,
  });
  const store = await Store.open(folder);
  const { stderr } = jai("check", "--data-dir", folder);
  assert.equal(stderr, `${folder} cannot be looked into: another server uses it\n`);
  await store.close();
  assert.equal(jai("mend").status, 2);
});

test("what is empty or no file is told, and is left as it is", async (context) => {
  const folder = await folderWithJobs(context);
  const file = join(folder, "jobs/jobs.sqlite");
  writeFileSync(file, "");
  for (const what of ["check", "repair"]) {
    const { status, stdout, stderr } = jai(what, "--data-dir", folder);
    assert.equal(status, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /jobs\.sqlite is empty: if anything was kept there, it is lost/);
    assert.equal(readFileSync(file, "utf8"), "");
  }
  rmSync(file);
  const others = [() => mkdirSync(file)];
  if (process.platform !== "win32") others.push(() => execFileSync("mkfifo", [file]));
  for (const make of others) {
    make();
    const runs = [["check"], ["repair"], ["export"]].map((words) => [...words, "--data-dir", folder]);
    for (const args of [...runs, ["export", "--file", file]]) {
      const { status, stderr } = jai(...args);
      assert.deepEqual({ status, stderr }, { status: 1, stderr: `${file} is not a file\n` });
    }
    await assert.rejects(Store.open(folder), /jobs\.sqlite is not a file/);
    rmSync(file, { recursive: true });
  }
});

test("an export whose reader has enough ends in silence", async (context) => {
  const folder = await folderWithJobs(context);
  const child = spawn(process.execPath, [cli, "data", "export", "--data-dir", folder]);
  child.stdout.destroy();
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const [code] = await once(child, "close");
  assert.deepEqual({ code, said }, { code: 0, said: "" });
});
