"""Trains a model of the recipe on what make.ts wrote, and writes it beside that as Hugging Face has it.

Reads ids.train, weights.train, lengths.train and tokenizer.json from --out, and writes config.json (Qwen3's shape: a
Llama whose queries and keys are normalized) and pytorch_model.bin there. Needs PyTorch alone.
"""

import argparse
import array
import json
import math
import os
import random
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

SIZES = {
    "jai-small": dict(layers=5, width=256, hidden=640, heads=8, kv_heads=4, head_dim=32),
    "jai-tiny-english": dict(layers=5, width=192, hidden=512, heads=6, kv_heads=3, head_dim=32),
}
CONTEXT = 512
THETA = 10_000.0
EPSILON = 1e-6
BATCH_TOKENS = 2048
PAD = 0


def has_bf16():
    """Whether this processor multiplies bfloat16, which takes half the time."""
    try:
        return "avx512_bf16" in open("/proc/cpuinfo").read()
    except OSError:
        return False


class Linear(nn.Linear):
    half = False

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x):
        if not Linear.half:
            return F.linear(x, self.weight)
        return F.linear(x.bfloat16(), self.weight.bfloat16()).float()


def product(a, b):
    if not Linear.half:
        return a @ b
    return (a.bfloat16() @ b.bfloat16()).float()


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * (x.pow(2).mean(-1, keepdim=True) + EPSILON).rsqrt() * self.weight


def rotate(x, cos, sin):
    low, high = x.chunk(2, -1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), -1)


class Attention(nn.Module):
    def __init__(self, width, heads, kv_heads, head_dim, **_):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim
        self.parts = [heads * head_dim, kv_heads * head_dim, kv_heads * head_dim]
        self.qkv_proj = Linear(width, sum(self.parts))
        self.o_proj = Linear(heads * head_dim, width)
        self.q_norm = RMSNorm(head_dim)
        self.k_norm = RMSNorm(head_dim)

    def forward(self, x, cos, sin, mask):
        rows, length, _ = x.shape
        split = lambda y, heads: y.view(rows, length, heads, self.head_dim).transpose(1, 2)
        q, k, v = self.qkv_proj(x).split(self.parts, -1)
        q = rotate(self.q_norm(split(q, self.heads)), cos, sin)
        k = rotate(self.k_norm(split(k, self.kv_heads)), cos, sin)
        v = split(v, self.kv_heads)
        # The queries that share a head of keys lie one below the other.
        q = q.reshape(rows, self.kv_heads, -1, self.head_dim)
        weights = (product(q * self.head_dim**-0.5, k.transpose(2, 3)) + mask).softmax(-1)
        y = product(weights, v).view(rows, self.heads, length, self.head_dim)
        return self.o_proj(y.transpose(1, 2).reshape(rows, length, -1))


class Mlp(nn.Module):
    def __init__(self, width, hidden, **_):
        super().__init__()
        self.gate_up_proj = Linear(width, 2 * hidden)
        self.down_proj = Linear(hidden, width)

    def forward(self, x):
        gate, up = self.gate_up_proj(x).chunk(2, -1)
        return self.down_proj(F.silu(gate) * up)


class Layer(nn.Module):
    def __init__(self, **sizes):
        super().__init__()
        self.input_layernorm = RMSNorm(sizes["width"])
        self.self_attn = Attention(**sizes)
        self.post_attention_layernorm = RMSNorm(sizes["width"])
        self.mlp = Mlp(**sizes)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Model(nn.Module):
    """Its tensors have Hugging Face's names, but matrices of one input are one (see `parts_of`). The head is the token table."""

    def __init__(self, vocabulary, sizes):
        super().__init__()
        self.sizes = sizes
        self.embed_tokens = nn.Embedding(vocabulary, sizes["width"])
        self.layers = nn.ModuleList(Layer(**sizes) for _ in range(sizes["layers"]))
        self.norm = RMSNorm(sizes["width"])
        for name, parameter in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * sizes["layers"]))
            elif parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
        pairs = torch.arange(0, sizes["head_dim"], 2) / sizes["head_dim"]
        angles = torch.outer(torch.arange(CONTEXT).float(), THETA**-pairs)
        self.cos, self.sin = angles.cos(), angles.sin()

    def forward(self, ids, counted):
        """ids [rows, length] -> logits [n, vocabulary] of the positions where counted [rows, length] is true."""
        length = ids.shape[1]
        mask = torch.full((length, length), -1e9).triu(1)
        mask = mask.repeat(self.sizes["heads"] // self.sizes["kv_heads"], 1)
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, self.cos[:length], self.sin[:length], mask)
        x = self.norm(x[counted])
        if not Linear.half:
            return F.linear(x, self.embed_tokens.weight)
        return F.linear(x.bfloat16(), self.embed_tokens.weight.bfloat16()).float()


def parts_of(name, matrix, sizes):
    """The matrices that lie below each other in one, by their names."""
    queries, keys = (sizes[heads] * sizes["head_dim"] for heads in ("heads", "kv_heads"))
    if "qkv_proj" in name:
        names, rows = "qkv", [queries, keys, keys]
        return {name.replace("qkv", part): rows for part, rows in zip(names, matrix.split(rows))}
    if "gate_up" in name:
        return {name.replace("gate_up", part): rows for part, rows in zip(("gate", "up"), matrix.chunk(2))}
    return {name: matrix}


class Muon:
    """Steps of matrices along the nearest orthogonal matrix to their momentum (https://kellerjordan.github.io/posts/muon)."""

    def __init__(self, named, sizes, momentum=0.95):
        self.named, self.sizes, self.momentum = list(named), sizes, momentum
        self.buffers = [torch.zeros_like(p) for _, p in self.named]

    @torch.no_grad()
    def step(self, rate, decay):
        for (name, parameter), buffer in zip(self.named, self.buffers):
            buffer.lerp_(parameter.grad, 1 - self.momentum)
            smooth = torch.lerp(parameter.grad, buffer, self.momentum)
            parameter.mul_(1 - rate * decay)
            parts = (parts_of(name, whole, self.sizes).values() for whole in (parameter, smooth))
            for part, direction in zip(*parts):
                scale = max(1, part.shape[0] / part.shape[1]) ** 0.5
                part.add_(orthogonal(direction), alpha=-rate * scale)
            parameter.grad = None


def orthogonal(matrix):
    """Newton-Schulz: five steps bring all singular values near 1."""
    x = matrix / (matrix.norm() + 1e-7)
    if Linear.half:
        x = x.bfloat16()
    isTall = x.shape[0] > x.shape[1]
    if isTall:
        x = x.t().contiguous()
    for _ in range(5):
        square = x @ x.t()
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * (square @ square)) @ x
    return (x.t() if isTall else x).float()


def read_samples(folder):
    """Pairs of ids and weights, one for each conversation."""
    read = lambda name, code: array.array(code, open(os.path.join(folder, name), "rb").read())
    ids, weights, start = read("ids.train", "H"), read("weights.train", "B"), 0
    samples = []
    for length in read("lengths.train", "H"):
        samples.append((ids[start : start + length], weights[start : start + length]))
        start += length
    return samples


def batches(samples, rng):
    """One epoch of batches, each of conversations of about the same length. A row is one conversation."""
    order = samples[:]
    rng.shuffle(order)
    plan, open_batches = [], {}
    for sample in order:
        bucket = (len(sample[0]) + 31) // 32
        batch = open_batches.setdefault(bucket, [])
        batch.append(sample)
        if bucket * 32 * (len(batch) + 1) > BATCH_TOKENS:
            plan.append(open_batches.pop(bucket))
    rng.shuffle(plan)
    return plan


def tensors(batch):
    length = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([ids.tolist() + [PAD] * (length - len(ids)) for ids, _ in batch])
    weights = torch.tensor([w.tolist() + [0] * (length - len(w)) for _, w in batch]) / 100
    return ids[:, :-1], ids[:, 1:], weights[:, 1:]


def write(model, vocabulary, end, folder):
    sizes = model.sizes
    config = dict(
        architectures=["Qwen3ForCausalLM"],
        model_type="qwen3",
        hidden_size=sizes["width"],
        intermediate_size=sizes["hidden"],
        num_hidden_layers=sizes["layers"],
        num_attention_heads=sizes["heads"],
        num_key_value_heads=sizes["kv_heads"],
        head_dim=sizes["head_dim"],
        max_position_embeddings=CONTEXT,
        vocab_size=vocabulary,
        rms_norm_eps=EPSILON,
        rope_theta=THETA,
        hidden_act="silu",
        attention_bias=False,
        tie_word_embeddings=True,
        use_sliding_window=False,
        eos_token_id=end,
        torch_dtype="float16",
    )
    whole = model.state_dict().items()
    parts = (part for name, matrix in whole for part in parts_of(name, matrix, sizes).items())
    half = {f"model.{name}": tensor.half() for name, tensor in parts}
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=2)
    save(half, os.path.join(folder, "pytorch_model.bin"))


def save(content, path):
    torch.save(content, path + ".part")
    os.replace(path + ".part", path)


def train(args, vocab):
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    samples = read_samples(args.out)
    model = Model(len(vocab), SIZES[args.model])
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(samples)} conversations", flush=True)
    matrices = [(name, p) for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.dim() == 1 or "embed" in name]
    muon = Muon(matrices, model.sizes)
    adam = torch.optim.AdamW(others, lr=args.lr, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0)
    state = dict(step=0, tokens=0, seconds=0.0)
    path = os.path.join(args.out, "optimizer.pt")
    if args.resume:
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        adam.load_state_dict(saved["adam"])
        muon.buffers = saved["muon"]
        state = saved["state"]
        rng.seed(args.seed + state["step"])
    began, saved_at, plan, shown = time.time() - state["seconds"], time.time(), [], []
    first = state["step"]
    while True:
        plan = plan or batches(samples, rng)
        seconds = time.time() - began
        progress = min(1.0, max(state["step"] / args.steps, seconds / (60 * args.minutes)))
        # Past the limit the rate has come down to nothing, so stopping then loses nothing.
        if progress == 1.0:
            break
        # The rate rises at first, after a resumption too: the last one had brought it down to nothing.
        scale = min(1.0, (state["step"] - first + 1) / 100, (1 - progress) / args.falling)
        inputs, targets, weights = tensors(plan.pop())
        counted = weights > 0
        logits = model(inputs, counted)
        losses = F.cross_entropy(logits, targets[counted], reduction="none")
        loss = (losses * weights[counted]).sum() / weights.sum()
        loss.backward()
        nn.utils.clip_grad_norm_(others, 1.0)
        muon.step(args.rate * scale, 0.02)
        for group in adam.param_groups:
            group["lr"] = args.lr * scale
        adam.step()
        adam.zero_grad(set_to_none=True)
        state["step"] += 1
        state["tokens"] += inputs.numel()
        shown.append(loss.item())
        if state["step"] % 25 == 0:
            speed = state["tokens"] / (time.time() - began)
            print(f"step {state['step']} loss {sum(shown) / len(shown):.4f} {seconds:.0f} s {speed:.0f} tokens/s", flush=True)
            shown = []
        if time.time() - saved_at > 240:
            saved_at = time.time()
            state["seconds"] = time.time() - began
            write(model, len(vocab), vocab["<|end|>"], args.out)
            save(dict(model=model.state_dict(), adam=adam.state_dict(), muon=muon.buffers, state=state), path)
    write(model, len(vocab), vocab["<|end|>"], args.out)
    print(f"done: {state['step']} steps, {state['tokens']} tokens, {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="jai-small", choices=SIZES)
    parser.add_argument("--out", help="default: models/recipe/out/MODEL")
    parser.add_argument("--steps", type=float, default=math.inf)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=0.02, help="of the matrices (Muon)")
    parser.add_argument("--lr", type=float, default=3e-3, help="of the token table and the norms (AdamW)")
    parser.add_argument("--falling", type=float, default=0.7, help="the share at the end during which both fall to 0")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--float32", action="store_true", help="without bfloat16")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    arguments.out = arguments.out or os.path.join("models", "recipe", "out", arguments.model)
    torch.set_num_threads(arguments.threads)
    Linear.half = has_bf16() and not arguments.float32
    with open(os.path.join(arguments.out, "tokenizer.json"), encoding="utf8") as tokenizer_file:
        train(arguments, json.load(tokenizer_file)["model"]["vocab"])
