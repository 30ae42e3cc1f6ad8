/*
 * Opens what real codebases wrote. The files are too many for the repository: these tests run where they lie beside
 * it, in `../shared/models`.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ImportError } from "./error.js";
import { readModelFolderSource } from "./model-folder-source.js";
import { openStateDict } from "./open-state-dict.js";

const shared = fileURLToPath(new URL("../../../../../shared/models/", import.meta.url));
const skip = existsSync(shared) ? false : "needs ../shared/models";
const PITFALLS = "pickle-pitfalls";

const REFUSED: Record<string, RegExp> = {
  "legacy-format.pt": /a bare pickle, .*torch\.save\(model\.state_dict\(\), "model\.pt"\)$/,
  "torchscript.pt": /a TorchScript archive, .*torch\.save\(model\.state_dict\(\), "model\.pt"\)$/,
  "whole-module.pt": /a whole pickled module, .*torch\.save\(model\.state_dict\(\), "model\.pt"\)$/,
};
const CONFIGS: Record<string, [name: string, size: number]> = {
  "argparse-namespace.pt": ["args", 3],
  "dataclass.pt": ["config", 6],
  "lightning-like.ckpt": ["hyper_parameters", 1],
};

function list(folder: string): string[] {
  return skip || !statSync(join(shared, folder)).isDirectory() ? [] : readdirSync(join(shared, folder));
}

/** Shape of each tensor by its name; every float tensor is read. */
async function readAll(
  file: string,
): Promise<Map<string, { shape: string; values: Float32Array | undefined }>> {
  const opened = await openStateDict(file);
  try {
    const all = new Map<string, { shape: string; values: Float32Array | undefined }>();
    for (const [name, tensor] of opened.tensors)
      all.set(name, {
        shape: String(tensor.shape),
        values: tensor.isFloat ? await tensor.read() : undefined,
      });
    return all;
  } finally {
    await opened.close();
  }
}

describe("files of other codebases", { skip }, () => {
  for (const codebase of list("."))
    for (const variant of list(codebase)) {
      const folder = join(shared, codebase, variant);
      if (!existsSync(join(folder, "arch.json"))) continue;
      it(`opens ${codebase}/${variant} as a folder, and finds its tokenizer`, async () => {
        const source = await readModelFolderSource(folder);
        const tensors = await readAll(source.weights);
        assert(tensors.size >= 10);
        for (const [name, { values }] of tensors)
          assert(values === undefined || values.every(Number.isFinite), name);
        const { kind: _, ...files } = source.tokenizer();
        for (const file of Object.values(files)) assert(existsSync(file), file);
        if (/^(?:hf-|litgpt|nanochat|mingpt)/.test(codebase))
          assert((await source.config())!.values.size >= 4);
      });
    }

  for (const name of list(PITFALLS).filter((name) => name !== "README.md"))
    it(`${REFUSED[name] ? "refuses" : "opens"} ${name}`, async () => {
      const file = join(shared, PITFALLS, name);
      const refusal = REFUSED[name];
      if (refusal) {
        await assert.rejects(openStateDict(file), (error) => {
          assert(error instanceof ImportError);
          assert.match(error.message, refusal);
          return true;
        });
        return;
      }
      const opened = await openStateDict(file);
      const expected = CONFIGS[basename(file)];
      assert.deepEqual([opened.config?.name, opened.config?.values.size], expected ?? [undefined, undefined]);
      const [first] = opened.tensors.values();
      assert.deepEqual(
        [...(await first!.read())],
        Array.from({ length: 12 }, (_, index) => index),
      );
      await opened.close();
    });

  it("reads llama2.c's .bin as its checkpoint, bit by bit", async () => {
    const folder = join(shared, "llama2.c/mha");
    const bin = await readAll(join(folder, "model.bin"));
    const checkpoint = await readAll(join(folder, "ckpt.pt"));
    assert.deepEqual([...bin.keys()].sort(), [...checkpoint.keys()].sort());
    for (const [name, tensor] of checkpoint) assert.deepEqual(bin.get(name), tensor, name);
  });
});
