// What `jai serve` says of a model, a setting or a port that it can't start with.
import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";

const folder = mkdtempSync(join(tmpdir(), "jai-cant-start-"));
const model = join(folder, "int8");
before(() => writeFixtureModel(model, "int8"));
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

describe("a server that can't start reports one line, and exits with 1", () => {
  const broken = (name: string, damage: (dir: string) => void) => {
    const dir = join(folder, name);
    cpSync(model, dir, { recursive: true });
    damage(dir);
    return dir;
  };
  const cases: Record<string, () => { dir: string; expected: RegExp }> = {
    "a missing model folder": () => ({ dir: join(folder, "nowhere"), expected: /nowhere/ }),
    "a half-written model folder": () => ({
      dir: broken("half", (dir) => rmSync(join(dir, "onnx", "model.onnx"))),
      expected: /model\.onnx/,
    }),
    "a truncated graph": () => ({
      dir: broken("cut", (dir) => {
        const graph = join(dir, "onnx", "model.onnx");
        writeFileSync(graph, readFileSync(graph).subarray(0, 5000));
      }),
      expected: /model\.onnx|onnx/i,
    }),
    ...Object.fromEntries(
      [
        ["n_kv_head", 2, 1],
        ["head_dim", 16, 8],
        ["n_layer", 2, 1],
        ["n_positions", 160, 320],
        // Earlier versions had the sizes of a head in these alone.
        ["n_head", 2, 4],
        ["n_embd", 32, 64],
      ].map(([field, from, to]) => [
        `a config.json with ${field} ${to} for a graph with ${from}`,
        () => ({
          dir: broken(`${field}`, (dir) => {
            const file = join(dir, "config.json");
            const config = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
            assert.equal(config[`${field}`], from);
            if (field === "n_head" || field === "n_embd")
              for (const later of ["n_kv_head", "head_dim", "architecture"]) delete config[later];
            writeFileSync(file, JSON.stringify({ ...config, [`${field}`]: to }));
          }),
          expected: /model\.onnx: expected \w+ \d+, as config\.json has it, got \d+/,
        }),
      ]),
    ),
    "a tokenizer with another vocabulary": () => ({
      dir: broken("vocabulary", (dir) => {
        const file = join(dir, "tokenizer.json");
        const tokenizer = JSON.parse(readFileSync(file, "utf8")) as { added_tokens: object[] };
        tokenizer.added_tokens.pop();
        writeFileSync(file, JSON.stringify(tokenizer));
      }),
      expected: /vocabulary.*261.*260/,
    }),
  };
  for (const [name, make] of Object.entries(cases)) {
    it(name, async () => {
      const { dir, expected } = make();
      const server = await ServerProcess.start(["--model", dir]);
      const { code, output } = await server.exit;
      assert.equal(code, 1, output);
      const complaints = output.split("\n").filter((line) => expected.test(line));
      assert.equal(complaints.length, 1, output);
      assert.ok(!/\n\s+at /.test(output), output);
    });
  }

  it("a stride longer than the model's context", async () => {
    const server = await ServerProcess.start(["--model", model], { JAI_CONTEXT_STRIDE: "161" });
    const { code, output } = await server.exit;
    assert.equal(code, 1);
    assert.match(output, /^JAI_CONTEXT_STRIDE: expected auto or an integer from 1 to 160.*got "161"\n$/);
  });

  it("a port that is taken", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    const server = await ServerProcess.start(["--model", model, "--port", String(port)]);
    const { code, output } = await server.exit;
    taken.close();
    assert.equal(code, 1);
    assert.match(output, new RegExp(`${port}.*(taken|in use)|(taken|in use).*${port}`));
    assert.ok(!/\n\s+at /.test(output), output);
  });
});
