"""The GPT of JAI's training script, as its checkpoints name the tensors."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.n_head = cfg["n_head"]
        self.qkv = nn.Linear(cfg["n_embd"], 3 * cfg["n_embd"])
        self.proj = nn.Linear(cfg["n_embd"], cfg["n_embd"])

    def forward(self, x, mask):
        rows, length, width = x.shape
        q, k, v = (
            part.view(rows, length, self.n_head, width // self.n_head).transpose(1, 2)
            for part in self.qkv(x).split(width, dim=2)
        )
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.n_head)
        weights = (scores + mask).softmax(-1)
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

    def forward(self, x, mask):
        x = x + self.attn(self.ln1(x), mask)
        return x + self.mlp(self.ln2(x))


class Gpt(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.tok_emb = nn.Embedding(cfg["vocab_size"], cfg["n_embd"])
        self.pos_emb = nn.Embedding(cfg["block_size"], cfg["n_embd"])
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(cfg["n_layer"]))
        self.ln_f = nn.LayerNorm(cfg["n_embd"], eps=1e-5)
        self.head = nn.Linear(cfg["n_embd"], cfg["vocab_size"], bias=False)

    def forward(self, ids, last_only=False):
        """ids [rows, length] -> logits [rows, length or 1, vocab]."""
        length = ids.shape[1]
        mask = torch.full((length, length), -1e9).triu(1)
        x = self.tok_emb(ids) + self.pos_emb.weight[:length]
        for block in self.blocks:
            x = block(x, mask)
        return self.head(self.ln_f(x[:, -1:] if last_only else x))
