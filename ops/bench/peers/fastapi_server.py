"""The server that jai-server replaces: one FastAPI process, one request at a time, no KV cache, PyTorch in float32.

Every token is a forward pass over all that precedes it. Takes ids instead of text, so that no tokenizer is compared.
Usage: fastapi_server.py CKPT PORT THREADS
"""

import asyncio
import math
import sys

import torch
import uvicorn
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, width, heads, context):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        mask = torch.tril(torch.ones(context, context)).view(1, 1, context, context)
        self.register_buffer("bias", mask)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).split(width, dim=2)
        q, k, v = (t.view(batch, length, self.heads, -1).transpose(1, 2) for t in (q, k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.size(-1))
        scores = scores.masked_fill(self.bias[:, :, :length, :length] == 0, float("-inf"))
        y = F.softmax(scores, dim=-1) @ v
        return self.proj(y.transpose(1, 2).reshape(batch, length, width))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 4 * width)
        self.proj = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.proj(F.gelu(self.fc(x)))


class Block(nn.Module):
    def __init__(self, width, heads, context):
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads, context)
        self.ln2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class Gpt(nn.Module):
    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__()
        self.context = block_size
        self.tok_emb = nn.Embedding(vocab_size, n_embd)
        self.pos_emb = nn.Embedding(block_size, n_embd)
        self.blocks = nn.ModuleList(Block(n_embd, n_head, block_size) for _ in range(n_layer))
        self.ln_f = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)

    def forward(self, ids):
        x = self.tok_emb(ids) + self.pos_emb(torch.arange(ids.size(1)))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln_f(x[:, -1]))

    @torch.inference_mode()
    def generate(self, ids, max_tokens, temperature, top_k, seed):
        generator = torch.Generator().manual_seed(seed)
        ids = torch.tensor([ids])
        for _ in range(max_tokens):
            logits = self(ids[:, -self.context :])
            if temperature == 0:
                chosen = logits.argmax(dim=-1, keepdim=True)
            else:
                logits = logits / temperature
                if top_k > 0:
                    least = torch.topk(logits, min(top_k, logits.size(-1))).values[:, [-1]]
                    logits[logits < least] = float("-inf")
                chosen = torch.multinomial(F.softmax(logits, dim=-1), 1, generator=generator)
            ids = torch.cat((ids, chosen), dim=1)
        return ids[0].tolist()


class Request(BaseModel):
    ids: list
    max_tokens: int
    temperature: float
    top_k: int
    seed: int


checkpoint, port, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
loaded = torch.load(checkpoint, map_location="cpu")
names = ("block_size", "n_layer", "n_head", "n_embd")
# The training script's settings don't tell the vocabulary's size; its tokenizer did.
vocab_size = loaded["model"]["tok_emb.weight"].shape[0]
model = Gpt(vocab_size, **{name: loaded["cfg"][name] for name in names})
# The mask is a buffer that some checkpoints hold; it is made above either way.
missing, unexpected = model.load_state_dict(loaded["model"], strict=False)
missing = [name for name in missing if not name.endswith("attn.bias")]
if missing or unexpected:
    sys.exit(f"expected the training script's tensors, missing {missing[:3]}, unexpected {unexpected[:3]}")
model.eval()

app = FastAPI()
semaphore = asyncio.Semaphore(1)


@app.get("/health")
def health():
    return {"torch": torch.__version__, "threads": torch.get_num_threads()}


@app.post("/generate")
async def generate(request: Request):
    async with semaphore:
        ids = await run_in_threadpool(
            model.generate, request.ids, request.max_tokens, request.temperature, request.top_k, request.seed
        )
    return {"ids": ids[len(request.ids) :]}


uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
