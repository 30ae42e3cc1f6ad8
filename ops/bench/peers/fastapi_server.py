"""The server that jai-server replaces: one FastAPI process, one request at a time, no KV cache, PyTorch in float32.

Every token is a forward pass over all that precedes it. Takes ids instead of text, so that no tokenizer is compared.
Usage: fastapi_server.py CKPT PORT THREADS
"""

import asyncio
import sys

import torch
import uvicorn
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

sys.dont_write_bytecode = True
from gpt import Gpt  # noqa: E402


class Request(BaseModel):
    ids: list
    max_tokens: int
    temperature: float
    top_k: int
    seed: int


checkpoint, port, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
loaded = torch.load(checkpoint, map_location="cpu")
# The checkpoint's settings lack the vocabulary size, which the training script took from the tokenizer.
model = Gpt({**loaded["cfg"], "vocab_size": loaded["model"]["tok_emb.weight"].shape[0]})
# Some checkpoints contain the attention mask, which the model makes itself.
missing, unexpected = model.load_state_dict(loaded["model"], strict=False)
unexpected = [name for name in unexpected if not name.endswith("attn.bias")]
if missing or unexpected:
    sys.exit(f"expected the training script's tensors, missing {missing[:3]}, unexpected {unexpected[:3]}")
model.eval()


@torch.inference_mode()
def complete(request):
    generator = torch.Generator().manual_seed(request.seed)
    ids = torch.tensor([request.ids])
    for _ in range(request.max_tokens):
        logits = model(ids[:, -loaded["cfg"]["block_size"] :], last_only=True)[:, -1]
        if request.temperature == 0:
            chosen = logits.argmax(dim=-1, keepdim=True)
        else:
            logits = logits / request.temperature
            if request.top_k > 0:
                least = torch.topk(logits, min(request.top_k, logits.size(-1))).values[:, [-1]]
                logits[logits < least] = float("-inf")
            chosen = torch.multinomial(logits.softmax(-1), 1, generator=generator)
        ids = torch.cat((ids, chosen), dim=1)
    return ids[0, len(request.ids) :].tolist()


app = FastAPI()
semaphore = asyncio.Semaphore(1)


@app.get("/health")
def health():
    return {"torch": torch.__version__}


@app.post("/generate")
async def generate(request: Request):
    async with semaphore:
        return {"ids": await run_in_threadpool(complete, request)}


uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
