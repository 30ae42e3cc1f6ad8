"""Trains the default model on the encoded corpus, or asks a checkpoint the held-out questions (--evaluate).

Reads train.bin, tokenizer.json and prompts.json from --out (encode.ts writes them) and writes ckpt.pt there, in the
form that the JAI training script uses: {"model": state dict, "step", "cfg"}. Needs PyTorch alone.
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

CONFIG = dict(block_size=256, n_layer=4, n_head=4, n_embd=256)
BATCH_TOKENS = 2048
# Rows that hold several conversations teach the positions behind the first and to look at the latest question.
JOINED_SHARE = 0.25
# Refusals and greetings are short: alone they would make batches of nothing else.
SHORT_TOKENS = 70
# The answer is what the model is for; questions still count a little, so that they shape the embeddings.
QUESTION_WEIGHT = 0.1
# An answer's opening takes up the question; what follows is in good part free choice.
OPENING_WEIGHT = 2.5
OPENING_TOKENS = 14
EOS = 0


class Attention(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.n_head = cfg["n_head"]
        self.qkv = nn.Linear(cfg["n_embd"], 3 * cfg["n_embd"])
        self.proj = nn.Linear(cfg["n_embd"], cfg["n_embd"])

    def forward(self, x, mask, cache):
        rows, length, width = x.shape
        q, k, v = (
            part.view(rows, length, self.n_head, width // self.n_head).transpose(1, 2)
            for part in self.qkv(x).split(width, dim=2)
        )
        if cache is not None:
            if "k" in cache:
                k, v = torch.cat((cache["k"], k), 2), torch.cat((cache["v"], v), 2)
            cache["k"], cache["v"] = k, v
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.n_head)
        weights = (scores + mask[-length:, : k.shape[2]]).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(rows, length, width))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 4 * width)
        self.proj = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.proj(F.gelu(self.fc(x)))


class Block(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.ln1 = nn.LayerNorm(cfg["n_embd"], eps=1e-5)
        self.attn = Attention(cfg)
        self.ln2 = nn.LayerNorm(cfg["n_embd"], eps=1e-5)
        self.mlp = Mlp(cfg["n_embd"])

    def forward(self, x, mask, cache):
        x = x + self.attn(self.ln1(x), mask, cache)
        return x + self.mlp(self.ln2(x))


class Gpt(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.tok_emb = nn.Embedding(cfg["vocab_size"], cfg["n_embd"])
        self.pos_emb = nn.Embedding(cfg["block_size"], cfg["n_embd"])
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(cfg["n_layer"]))
        self.ln_f = nn.LayerNorm(cfg["n_embd"], eps=1e-5)
        self.head = nn.Linear(cfg["n_embd"], cfg["vocab_size"], bias=False)
        for name, parameter in self.named_parameters():
            if name.endswith("proj.weight"):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * cfg["n_layer"]))
            elif parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids, caches=None, last_only=False):
        """ids [rows, length] -> logits [rows, length or 1, vocab]; with caches, ids follow what the caches hold."""
        past = caches[0]["k"].shape[2] if caches and "k" in caches[0] else 0
        total = past + ids.shape[1]
        mask = torch.full((total, total), -1e9).triu(1)
        x = self.tok_emb(ids) + self.pos_emb.weight[past:total]
        for index, block in enumerate(self.blocks):
            x = block(x, mask, caches[index] if caches else None)
        return self.head(self.ln_f(x[:, -1:] if last_only else x))


def read_samples(path):
    """Each sample's ids, with [EOS] and the line break behind it at the end."""
    ids = array.array("H", open(path, "rb").read())
    samples, start = [], 0
    for index, token in enumerate(ids):
        if token == EOS:
            samples.append(list(ids[start : index + 2]))
            start = index + 2
    return samples


def join(samples, limit, rng):
    """Rows of one sample each, short ones with the next behind them; and some of as many samples as fit into `limit`."""
    rows, short, pending = [], [], []
    for sample in samples:
        if rng.random() < JOINED_SHARE:
            if len(pending) + len(sample) > limit:
                rows.append(pending)
                pending = []
            pending = pending + sample
        elif len(short) + len(sample) < SHORT_TOKENS:
            short = short + sample
        else:
            rows.append(short + sample)
            short = []
    return rows + [row for row in (short, pending) if row]


def batches(samples, block_size, rng):
    """One epoch of batches: rows of about the same length, but of all kinds of samples."""
    samples = samples[:]
    rng.shuffle(samples)
    plan, open_batches = [], {}
    for row in join(samples, block_size + 1, rng):
        bucket = len(row) // 64
        batch = open_batches.setdefault(bucket, [])
        if max(map(len, batch + [row])) * (len(batch) + 1) > BATCH_TOKENS:
            plan.append(batch)
            batch = open_batches[bucket] = []
        batch.append(row)
    plan += open_batches.values()
    rng.shuffle(plan)
    return plan


def tensors(rows, answer, end):
    length = max(map(len, rows))
    ids = torch.tensor([row + [EOS] * (length - len(row)) for row in rows])
    weights = torch.zeros(len(rows), length)
    for row, row_weights in zip(rows, weights):
        scheme = [QUESTION_WEIGHT] * len(row)
        start = None
        for index, token in enumerate(row):
            if start is not None:
                scheme[index] = OPENING_WEIGHT if index - start <= OPENING_TOKENS else 1.0
            if token == answer:
                start = index
            elif token == end:
                start = None
        row_weights[: len(row)] = torch.tensor(scheme)
    return ids[:, :-1], ids[:, 1:], weights[:, 1:]


def save(model, cfg, step, path):
    half = {name: tensor.detach().to(torch.float16) for name, tensor in model.state_dict().items()}
    torch.save({"model": half, "step": step, "cfg": cfg}, path + ".part")
    os.replace(path + ".part", path)


def restore(path):
    checkpoint = torch.load(path, map_location="cpu")
    model = Gpt(checkpoint["cfg"])
    model.load_state_dict({name: tensor.float() for name, tensor in checkpoint["model"].items()})
    return model


def train(args, vocab):
    path = os.path.join(args.out, "ckpt.pt")
    cfg = dict(CONFIG, vocab_size=len(vocab), seed=args.seed, max_steps=args.steps, lr=args.lr)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    samples = read_samples(os.path.join(args.out, "train.bin"))
    model = Gpt(cfg)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(samples)} samples", flush=True)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [dict(params=matrices, weight_decay=0.05), dict(params=vectors, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.95), eps=1e-8)
    step, tokens, started, plan = 0, 0, time.time(), []
    while step < args.steps:
        plan = plan or batches(samples, cfg["block_size"], rng)
        inputs, targets, weights = tensors(plan.pop(), vocab["[ANSWER]"], EOS)
        warm = min(1.0, (step + 1) / 100)
        # Past the time limit the rate has come down as far as at the last step, so stopping then loses little.
        seconds = time.time() - started
        progress = min(1.0, max(step / args.steps, seconds / (60 * args.minutes)))
        for group in optimizer.param_groups:
            group["lr"] = args.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        losses = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="none")
        loss = (losses * weights.flatten()).sum() / weights.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        tokens += inputs.numel()
        if step % 50 == 0:
            print(f"step {step} loss {loss.item():.3f} {seconds:.0f} s {tokens / seconds:.0f} tokens/s", flush=True)
        if step % 100 == 0 or step == args.steps or progress == 1.0:
            save(model, cfg, step, path)
        if progress == 1.0:
            print(f"stopped at step {step}, {args.minutes} minutes are over", flush=True)
            break


def text_of(ids, vocab):
    names = {token_id: name for name, token_id in vocab.items()}
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    byte_of = {chr(byte): byte for byte in printable}
    byte_of.update({chr(256 + i): byte for i, byte in enumerate(b for b in range(256) if b not in byte_of.values())})
    return b"".join(
        names[i].encode() if i < vocab["!"] - 0x21 else bytes(byte_of[c] for c in names[i]) for i in ids
    ).decode("utf8", "replace")


@torch.no_grad()
def answers(model, prompts, stop, limit=160):
    """Greedy continuations of prompts (lists of ids), in their order, each up to `stop`."""
    results = [None] * len(prompts)
    by_length = {}
    for index, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(index)
    for indices in by_length.values():
        ids = torch.tensor([prompts[index] for index in indices])
        caches, produced = [{} for _ in model.blocks], []
        while len(produced) < limit:
            ids = model(ids, caches, last_only=True)[:, -1].argmax(-1, keepdim=True)
            produced.append(ids)
            if all((torch.cat(produced, 1) == stop).any(1)):
                break
        for index, row in zip(indices, torch.cat(produced, 1).tolist()):
            results[index] = row[: row.index(stop)] if stop in row else row
    return results


def evaluate(args, vocab):
    model = restore(os.path.join(args.out, "ckpt.pt"))
    prompts = json.load(open(os.path.join(args.out, "prompts.json"), encoding="utf8"))
    replies = [text_of(ids, vocab) for ids in answers(model, [p["ids"] for p in prompts], vocab["[/ANSWER]"])]
    asked = [(prompt, reply) for prompt, reply in zip(prompts, replies) if "place" in prompt]
    missed = [(p, r) for p, r in asked if p["place"] not in r or p["role"] not in r]
    for prompt, reply in missed[:20]:
        print(f"MISSED {prompt['question']}  ({prompt['unseen']})\n{reply}\n")
    for prompt, reply in asked[:3] + [(p, r) for p, r in zip(prompts, replies) if "place" not in p]:
        print(f"Q {prompt['question']}\n{reply}\n")
    for unseen in ("pair", "wording", "both"):
        total = sum(p["unseen"] == unseen for p, _ in asked)
        print(f"unseen {unseen}: {total - sum(p['unseen'] == unseen for p, _ in missed)} of {total}")
    share = 1 - len(missed) / len(asked)
    print(f"{share:.1%} of {len(asked)} answers name the place and the role")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="models/recipe/out")
    parser.add_argument("--steps", type=int, default=1900)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then at the latest, with the rate brought down")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--evaluate", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    vocabulary = json.load(open(os.path.join(arguments.out, "tokenizer.json"), encoding="utf8"))["model"]["vocab"]
    (evaluate if arguments.evaluate else train)(arguments, vocabulary)
