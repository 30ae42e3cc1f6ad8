import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { checkpoint, FakeState, type FakeTensor, tensor } from "../../fixtures/checkpoint-writer.js";
import { temporaryFile } from "../../fixtures/gpt.js";
import { mulberry32 } from "../../recipe/random.js";
import { openStateDict } from "../checkpoint/open-state-dict.js";
import type { Config } from "../checkpoint/state-dict.js";
import { forward } from "../forward/forward.js";
import type { ModelWeights } from "../weights.js";
import type { Asked } from "./family.js";
import { readModel } from "./index.js";

const [V, C, W, H, D, K] = [11, 6, 8, 16, 4, 4] as const;

interface Case {
  /** Tensors outside of the layers, and of the layer `N`. */
  tensors: Record<string, number[]>;
  config?: Record<string, unknown>;
  asked?: Asked;
  is: { heads: number; kvHeads: number; context: number; tied?: boolean };
}

const norm = (name: string, part = "weight") => ({ [`${name}.${part}`]: [W] });
const both = (name: string, outputs: number, inputs: number = W) => ({
  [`${name}.weight`]: [outputs, inputs],
  [`${name}.bias`]: [outputs],
});

const cases: Record<string, Case> = {
  "a Llama with shared keys": {
    tensors: {
      "model.embed_tokens.weight": [V, W],
      ...norm("model.layers.N.input_layernorm"),
      "model.layers.N.self_attn.q_proj.weight": [2 * D, W],
      "model.layers.N.self_attn.k_proj.weight": [K, W],
      "model.layers.N.self_attn.v_proj.weight": [K, W],
      "model.layers.N.self_attn.o_proj.weight": [W, 2 * D],
      ...norm("model.layers.N.post_attention_layernorm"),
      "model.layers.N.mlp.gate_proj.weight": [H, W],
      "model.layers.N.mlp.up_proj.weight": [H, W],
      "model.layers.N.mlp.down_proj.weight": [W, H],
      ...norm("model.norm"),
    },
    config: {
      ...{ num_attention_heads: 2, rms_norm_eps: 1e-6, max_position_embeddings: C, hidden_act: "silu" },
      rope_parameters: new Map<string, unknown>([
        ["rope_type", "default"],
        ["rope_theta", 500],
      ]),
    },
    is: { heads: 2, kvHeads: 1, context: C, tied: true },
  },
  "a checkpoint of llama2.c": {
    tensors: {
      "tok_embeddings.weight": [V, W],
      ...norm("layers.N.attention_norm"),
      "layers.N.attention.wq.weight": [2 * D, W],
      "layers.N.attention.wk.weight": [K, W],
      "layers.N.attention.wv.weight": [K, W],
      "layers.N.attention.wo.weight": [W, 2 * D],
      ...norm("layers.N.ffn_norm"),
      "layers.N.feed_forward.w1.weight": [H, W],
      "layers.N.feed_forward.w2.weight": [W, H],
      "layers.N.feed_forward.w3.weight": [H, W],
      ...norm("norm"),
      "output.weight": [V, W],
    },
    config: { n_heads: 2, max_seq_len: C },
    is: { heads: 2, kvHeads: 1, context: C },
  },
  "a GPT-NeoX": {
    tensors: {
      "gpt_neox.embed_in.weight": [V, W],
      ...norm("gpt_neox.layers.N.input_layernorm"),
      ...norm("gpt_neox.layers.N.input_layernorm", "bias"),
      ...norm("gpt_neox.layers.N.post_attention_layernorm"),
      ...norm("gpt_neox.layers.N.post_attention_layernorm", "bias"),
      ...both("gpt_neox.layers.N.attention.query_key_value", 3 * W),
      ...both("gpt_neox.layers.N.attention.dense", W),
      ...both("gpt_neox.layers.N.mlp.dense_h_to_4h", H),
      ...both("gpt_neox.layers.N.mlp.dense_4h_to_h", W, H),
      ...norm("gpt_neox.final_layer_norm"),
      ...norm("gpt_neox.final_layer_norm", "bias"),
      "embed_out.weight": [V, W],
    },
    config: { num_attention_heads: 2, max_position_embeddings: C, rotary_pct: 0.5 },
    is: { heads: 2, kvHeads: 2, context: C },
  },
  "a GPT-Neo": {
    tensors: {
      "transformer.wte.weight": [V, W],
      "transformer.wpe.weight": [C, W],
      ...norm("transformer.h.N.ln_1"),
      ...norm("transformer.h.N.ln_1", "bias"),
      "transformer.h.N.attn.attention.q_proj.weight": [W, W],
      "transformer.h.N.attn.attention.k_proj.weight": [W, W],
      "transformer.h.N.attn.attention.v_proj.weight": [W, W],
      ...both("transformer.h.N.attn.attention.out_proj", W),
      ...norm("transformer.h.N.ln_2"),
      ...norm("transformer.h.N.ln_2", "bias"),
      ...both("transformer.h.N.mlp.c_fc", H),
      ...both("transformer.h.N.mlp.c_proj", W, H),
      ...norm("transformer.ln_f"),
      ...norm("transformer.ln_f", "bias"),
    },
    config: { num_heads: 2, window_size: 3 },
    is: { heads: 2, kvHeads: 2, context: C, tied: true },
  },
  "a GPT-2 of Hugging Face": {
    tensors: {
      "wte.weight": [V, W],
      "wpe.weight": [C, W],
      ...norm("h.N.ln_1"),
      ...norm("h.N.ln_1", "bias"),
      "h.N.attn.c_attn.weight": [W, 3 * W],
      "h.N.attn.c_attn.bias": [3 * W],
      "h.N.attn.c_proj.weight": [W, W],
      "h.N.attn.c_proj.bias": [W],
      ...norm("h.N.ln_2"),
      ...norm("h.N.ln_2", "bias"),
      "h.N.mlp.c_fc.weight": [W, H],
      "h.N.mlp.c_fc.bias": [H],
      "h.N.mlp.c_proj.weight": [H, W],
      "h.N.mlp.c_proj.bias": [W],
      ...norm("ln_f"),
      ...norm("ln_f", "bias"),
    },
    asked: { heads: 2 },
    is: { heads: 2, kvHeads: 2, context: C, tied: true },
  },
  "a checkpoint of litgpt": {
    tensors: {
      "transformer.wte.weight": [V, W],
      ...norm("transformer.h.N.norm_1"),
      "transformer.h.N.attn.qkv.weight": [2 * D + 2 * K, W],
      "transformer.h.N.attn.proj.weight": [W, 2 * D],
      ...norm("transformer.h.N.norm_2"),
      "transformer.h.N.mlp.fc_1.weight": [H, W],
      "transformer.h.N.mlp.fc_2.weight": [H, W],
      "transformer.h.N.mlp.proj.weight": [W, H],
      ...norm("transformer.ln_f"),
      "lm_head.weight": [V, W],
    },
    config: {
      ...{
        n_head: 2,
        n_query_groups: 1,
        block_size: C,
        norm_class_name: "RMSNorm",
        mlp_class_name: "LLaMAMLP",
      },
      ...{ rotary_percentage: 1, parallel_residual: false },
    },
    is: { heads: 2, kvHeads: 1, context: C },
  },
  "a checkpoint of nanochat": {
    tensors: {
      "transformer.wte.weight": [V, W],
      "transformer.h.N.attn.c_q.weight": [2 * D, W],
      "transformer.h.N.attn.c_k.weight": [K, W],
      "transformer.h.N.attn.c_v.weight": [K, W],
      "transformer.h.N.attn.c_proj.weight": [W, 2 * D],
      "transformer.h.N.mlp.c_fc.weight": [H, W],
      "transformer.h.N.mlp.c_proj.weight": [W, H],
      "lm_head.weight": [V, W],
    },
    config: { n_head: 2, sequence_len: C },
    is: { heads: 2, kvHeads: 1, context: C },
  },
  "a GPTModel of the book": {
    tensors: {
      "tok_emb.weight": [V, W],
      "pos_emb.weight": [C, W],
      ...norm("trf_blocks.N.norm1", "scale"),
      ...norm("trf_blocks.N.norm1", "shift"),
      ...both("trf_blocks.N.att.W_query", W),
      ...both("trf_blocks.N.att.W_key", W),
      ...both("trf_blocks.N.att.W_value", W),
      ...both("trf_blocks.N.att.out_proj", W),
      ...norm("trf_blocks.N.norm2", "scale"),
      ...norm("trf_blocks.N.norm2", "shift"),
      ...both("trf_blocks.N.ff.layers.0", H),
      ...both("trf_blocks.N.ff.layers.2", W, H),
      ...norm("final_norm", "scale"),
      ...norm("final_norm", "shift"),
      "out_head.weight": [V, W],
    },
    asked: { heads: 2 },
    is: { heads: 2, kvHeads: 2, context: C },
  },
  "the lecture's GPT": {
    tensors: {
      "token_embedding_table.weight": [V, W],
      "position_embedding_table.weight": [C, W],
      ...norm("blocks.N.ln1"),
      ...norm("blocks.N.ln1", "bias"),
      ...Object.fromEntries(
        ["key", "query", "value"].flatMap((part) =>
          [0, 1].map((head) => [`blocks.N.sa.heads.${head}.${part}.weight`, [D, W]]),
        ),
      ),
      ...both("blocks.N.sa.proj", W),
      ...norm("blocks.N.ln2"),
      ...norm("blocks.N.ln2", "bias"),
      ...both("blocks.N.ffwd.net.0", H),
      ...both("blocks.N.ffwd.net.2", W, H),
      ...norm("ln_f"),
      ...norm("ln_f", "bias"),
      ...both("lm_head", V),
    },
    is: { heads: 2, kvHeads: 2, context: C },
  },
  "a minGPT of 2020": {
    tensors: {
      "tok_emb.weight": [V, W],
      pos_emb: [1, C, W],
      ...norm("blocks.N.ln1"),
      ...norm("blocks.N.ln1", "bias"),
      ...both("blocks.N.attn.key", W),
      ...both("blocks.N.attn.query", W),
      ...both("blocks.N.attn.value", W),
      ...both("blocks.N.attn.proj", W),
      "blocks.N.attn.mask": [1, 1, C, C],
      ...norm("blocks.N.ln2"),
      ...norm("blocks.N.ln2", "bias"),
      ...both("blocks.N.mlp.0", H),
      ...both("blocks.N.mlp.2", W, H),
      ...norm("ln_f"),
      ...norm("ln_f", "bias"),
      "head.weight": [V, W],
    },
    asked: { heads: 2 },
    is: { heads: 2, kvHeads: 2, context: C },
  },
};

const LAYERS = 2;

function stateOf({ tensors }: Case): Map<string, FakeTensor> {
  const random = mulberry32(1);
  const state = new Map<string, FakeTensor>();
  const add = (name: string, shape: number[]) => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    state.set(
      name,
      tensor(
        "float32",
        shape,
        Float32Array.from({ length: size }, () => random() - 0.5),
      ),
    );
  };
  for (const [name, shape] of Object.entries(tensors)) {
    if (!name.includes(".N.") && !name.startsWith("h.N.")) add(name, shape);
    else for (let layer = 0; layer < LAYERS; layer++) add(name.replace("N.", `${layer}.`), shape);
  }
  return state;
}

async function read(
  t: TestContext,
  state: Map<string, FakeTensor>,
  { config, asked = {} }: Pick<Case, "config" | "asked">,
): Promise<ModelWeights> {
  const opened = await openStateDict(await temporaryFile(t, checkpoint(new FakeState(state))));
  t.after(() => opened.close());
  const beside = config && {
    name: "config.json",
    values: new Map(Object.entries(config)) as Config["values"],
  };
  return readModel(opened, beside, asked);
}

for (const [name, one] of Object.entries(cases)) {
  test(`${name} is read, whole`, async (t) => {
    const weights = await read(t, stateOf(one), one);
    const { heads, kvHeads, context, tied = false } = one.is;
    assert.deepEqual(weights.sizes, {
      ...{ vocab: V, context, layers: LAYERS, heads, kvHeads, headDim: D, width: W, hidden: H },
    });
    assert.equal(weights.tied, tied);
    const [logits] = await forward(weights, [1, 2, 3, 4], 1);
    assert.ok(logits!.every(Number.isFinite) && new Set(logits).size > V / 2);
  });

  test(`${name} with a tensor missing, too many, or of another shape is refused by its name`, async (t) => {
    const names = [...stateOf(one).keys()].filter((key) => key.endsWith("weight") || key.endsWith("scale"));
    const last = names.filter((key) => /\b1\./.test(key)).at(-1)!;
    const without = stateOf(one);
    without.delete(last);
    await assert.rejects(read(t, without, one), (error) => String(error).includes(`"${last}" is missing`));
    const more = stateOf(one);
    more.set("one.more", tensor("float32", [3], [1, 2, 3]));
    await assert.rejects(read(t, more, one), /unexpected tensor "one\.more" of shape \[3\]/);
    const other = stateOf(one);
    other.set(last, tensor("float32", [3], [1, 2, 3]));
    await assert.rejects(read(t, other, one), (error) =>
      String(error).includes(`expected "${last}" to have shape`),
    );
  });
}

test("what a config file names and this server does not compute is refused by its name", async (t) => {
  const llama = cases["a Llama with shared keys"]!;
  const scaling = new Map<string, unknown>([
    ["rope_type", "yarn"],
    ["factor", 2],
  ]);
  await assert.rejects(
    read(t, stateOf(llama), { config: { ...llama.config, rope_parameters: scaling } }),
    /expected rope_type in config\.json\.rope_parameters to be "default" or "linear" or "llama3", got the str "yarn"/,
  );
  await assert.rejects(
    read(t, stateOf(llama), { config: { ...llama.config, hidden_act: "gelu" } }),
    /expected hidden_act in config\.json to be "silu", got the str "gelu"/,
  );
  const gpt2 = cases["a GPT-2 of Hugging Face"]!;
  await assert.rejects(
    read(t, stateOf(gpt2), { config: { n_head: 2, scale_attn_by_inverse_layer_idx: true } }),
    /expected scale_attn_by_inverse_layer_idx in config\.json to be False, .*, got True/,
  );
  const litgpt = cases["a checkpoint of litgpt"]!;
  await assert.rejects(
    read(t, stateOf(litgpt), { config: { ...litgpt.config, n_expert: 4 } }),
    /expected n_expert in config\.json to be the number 0, .*, got the number 4/,
  );
});

test("a model that only names its tensors like a Llama is refused by its type", async (t) => {
  const llama = cases["a Llama with shared keys"]!;
  await assert.rejects(
    read(t, stateOf(llama), { config: { ...llama.config, model_type: "granite" } }),
    /expected model_type in config\.json to be "llama" or "mistral" or .*, got the str "granite"/,
  );
  for (const model_type of ["llama", "qwen3"])
    await read(t, stateOf(llama), { config: { ...llama.config, model_type } });
});

test("sizes that the settings tell are those of the tensors, or the settings are refused", async (t) => {
  const llama = cases["a Llama with shared keys"]!;
  const right = {
    ...{
      num_hidden_layers: LAYERS,
      hidden_size: W,
      intermediate_size: H,
      num_key_value_heads: 1,
      head_dim: D,
    },
  };
  await read(t, stateOf(llama), { config: { ...llama.config, ...right } });
  for (const [key, value] of Object.entries(right))
    await assert.rejects(
      read(t, stateOf(llama), { config: { ...llama.config, ...right, [key]: value * 2 } }),
      new RegExp(
        `expected ${key} in config\\.json to be ${value}, as the tensors have it, got ${2 * value}; is it`,
      ),
    );
});

test("a context that no memory has room for is refused, also where no tensor tells it", async (t) => {
  const llama = cases["a Llama with shared keys"]!;
  const reading = (max_position_embeddings: number) =>
    read(t, stateOf(llama), { config: { ...llama.config, max_position_embeddings } });
  assert.equal((await reading(2 ** 20)).sizes.context, 2 ** 20);
  await assert.rejects(
    reading(2 ** 31 - 1),
    /expected a context of at most 1048576 positions, got 2147483647; lower it in config\.json/,
  );
});

test("a bias, or a norm of heads, that only some layers have is an error that names it", async (t) => {
  const neox = cases["a GPT-NeoX"]!;
  const state = stateOf(neox);
  const name = "gpt_neox.layers.1.attention.dense.bias";
  state.delete(name);
  await assert.rejects(
    read(t, state, neox),
    /expected "gpt_neox\.layers\.\*\.attention\.dense\.bias" in each layer or in none, but "gpt_neox\.layers\.1\.attention\.dense\.bias" is missing/,
  );
  const llama = cases["a Llama with shared keys"]!;
  const normed = stateOf(llama);
  normed.set("model.layers.1.self_attn.q_norm.weight", tensor("float32", [D], [1, 2, 3, 4]));
  await assert.rejects(
    read(t, normed, llama),
    /in each layer or in none, but .*1\.self_attn\.q_norm\.weight" is there/,
  );
});

test("a layer that only some of its parts have a bias for has zeros for the others", async (t) => {
  const llama = cases["a Llama with shared keys"]!;
  const tensors = { ...llama.tensors, "model.layers.N.self_attn.q_proj.bias": [2 * D] };
  const { layers } = await read(t, stateOf({ ...llama, tensors }), llama);
  const bias = [...(await layers[0]!.qkv.bias!.read())];
  assert.ok(bias.slice(0, 2 * D).every((value) => value !== 0));
  assert.deepEqual(bias.slice(2 * D), new Array(2 * K).fill(0));
});

test("a window is that of the layers that the config names", async (t) => {
  const llama = cases["a Llama with shared keys"]!;
  const windows = async (config: Record<string, unknown>) =>
    (await read(t, stateOf(llama), { config: { ...llama.config, sliding_window: 3, ...config } }))
      .architecture.sliding_window;
  const qwen = { model_type: "qwen2", use_sliding_window: true };
  assert.deepEqual(await windows({ model_type: "mistral" }), [3, 3]);
  assert.equal(await windows({ ...qwen, use_sliding_window: false }), null);
  assert.deepEqual(await windows(qwen), [null, null]);
  assert.deepEqual(await windows({ ...qwen, max_window_layers: 0 }), [3, 3]);
  assert.deepEqual(await windows({ ...qwen, max_window_layers: 1 }), [null, 3]);
  const layer_types = ["sliding_attention", "full_attention"];
  assert.deepEqual(await windows({ ...qwen, max_window_layers: 1, layer_types }), [3, null]);
  await assert.rejects(
    windows({ ...qwen, layer_types: ["chunked_attention"] }),
    /expected layer_types in config/,
  );
});

test("how much of a head is turned is read under its old name and its new one", async (t) => {
  const neox = cases["a GPT-NeoX"]!;
  const { rotary_pct: _, ...config } = neox.config!;
  const dim = async (more: Record<string, unknown>) =>
    (await read(t, stateOf(neox), { config: { ...config, ...more } })).architecture.rotary?.dim;
  assert.equal(await dim({ rotary_pct: 0.5 }), 2);
  // Transformers 5 writes this one alone.
  assert.equal(await dim({ rope_parameters: new Map([["partial_rotary_factor", 1]]) }), 4);
});

test("a GPT-Neo whose kinds of layers are told in the short form alone is refused", async (t) => {
  const neo = cases["a GPT-Neo"]!;
  await assert.rejects(
    read(t, stateOf(neo), { config: { ...neo.config, attention_types: [[["global"], 2]] } }),
    /expected attention_layers in config\.json, got attention_types alone/,
  );
});

test("heads that nothing tells are asked for, and must fit", async (t) => {
  const gpt2 = cases["a GPT-2 of Hugging Face"]!;
  await assert.rejects(read(t, stateOf(gpt2), {}), /doesn't say how many attention heads .* pass --heads N/);
  await assert.rejects(
    read(t, stateOf(gpt2), { asked: { heads: 3 } }),
    /divides the queries' 8 rows .* got 3/,
  );
  await assert.rejects(
    read(t, stateOf(gpt2), { config: { n_head: 2 }, asked: { heads: 4 } }),
    /--heads is 4, but config\.json says n_head = 2/,
  );
});

test("a GELU that neither names nor settings tell is asked for", async (t) => {
  const names = cases["a GPT-Neo"]!.tensors;
  const kept = Object.entries(names).filter(([key]) => !key.includes(".attention."));
  const fused = { ...both("transformer.h.N.attn.c_attn", 3 * W), ...both("transformer.h.N.attn.c_proj", W) };
  const tensors = { ...Object.fromEntries(kept), ...fused };
  const state = () => stateOf({ tensors, is: { heads: 2, kvHeads: 2, context: C } });
  await assert.rejects(
    read(t, state(), { asked: { heads: 2 } }),
    /--activation gelu \(exact, as nanoGPT has it\) or --activation gelu_tanh \(as minGPT and build-nanogpt/,
  );
  for (const activation of ["gelu", "gelu_tanh"] as const) {
    const { architecture } = await read(t, state(), { asked: { heads: 2, activation } });
    assert.equal(architecture.activation, activation);
  }
  const minGpt = { n_head: 2, embd_pdrop: 0.1 };
  assert.equal((await read(t, state(), { config: minGpt })).architecture.activation, "gelu_tanh");
  await assert.rejects(
    read(t, state(), { config: minGpt, asked: { activation: "gelu" } }),
    /--activation is gelu, but the checkpoint is of a codebase that has gelu_tanh/,
  );
});

test("a checkpoint of no known codebase is refused with the names of those that are", async (t) => {
  const state = new Map([["encoder.weight", tensor("float32", [1], [1])]]);
  await assert.rejects(
    read(t, state, {}),
    /expected tensors that are named as in one of \(JAI; nanoGPT; .*; litgpt; .*\), got "encoder\.weight", …; a model of another codebase can't be imported$/,
  );
});

test("defaults that are taken where a checkpoint says nothing are told", async (t) => {
  const llama = cases["a Llama with shared keys"]!;
  const headNorms = Object.fromEntries(
    ["q_norm", "k_norm"].map((part) => [`model.layers.N.self_attn.${part}.weight`, [D]]),
  );
  const tensors = { ...llama.tensors, ...headNorms };
  const { assumed, sizes } = await read(t, stateOf({ ...llama, tensors }), {});
  assert.deepEqual(assumed, ["context 32768", "rope_theta 1000000", "rms_norm_eps 0.000001"]);
  assert.equal(sizes.context, 32_768);
  assert.equal((await read(t, stateOf(llama), llama)).assumed, undefined);
});
