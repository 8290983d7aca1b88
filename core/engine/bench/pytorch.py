"""Times cprs against PyTorch f32: the same critic, the same text, the same machine, in turns.

    go build -o cprs ./cmd/cprs
    python core/engine/bench/pytorch.py --cprs ./cprs --critic DIR [--rounds 3]

DIR holds the critic in f16 or f32 (config.json, model.safetensors). Needs torch and numpy; cprs itself needs neither. Both sides
read 256-token windows of one generated text with all cores; PyTorch gets them tokenised and in batches of 16.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import time

import numpy as np
import torch
import torch.nn.functional as F


def load(folder):
    with open(os.path.join(folder, "model.safetensors"), "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        head = json.loads(f.read(n))
        data = f.read()
    kinds = {"F16": np.float16, "F32": np.float32}
    out = {}
    for name, t in head.items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            out[name] = torch.from_numpy(np.frombuffer(data[a:b], kinds[t["dtype"]]).reshape(t["shape"]).astype(np.float32))
    return out


class Critic:
    def __init__(self, folder):
        self.w = load(folder)
        self.cfg = json.load(open(os.path.join(folder, "config.json")))
        self.heads = self.cfg["encoder"]["num_attention_heads"]

    def lin(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], 1e-12)

    def layer(self, p, x):
        b, t, h = x.shape
        split = lambda y: y.view(b, t, self.heads, h // self.heads).transpose(1, 2)
        q, k, v = (split(self.lin(p + "attention.self." + n, x)) for n in ("query", "key", "value"))
        a = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, h)
        x = self.norm(p + "attention.output.LayerNorm", x + self.lin(p + "attention.output.dense", a))
        f = self.lin(p + "output.dense", F.gelu(self.lin(p + "intermediate.dense", x)))
        return self.norm(p + "output.LayerNorm", x + f)

    def encode(self, ids):
        e = "encoder.embeddings."
        x = self.w[e + "word_embeddings.weight"][ids] + self.w[e + "position_embeddings.weight"][: ids.shape[1]]
        x = self.norm(e + "LayerNorm", x + self.w[e + "token_type_embeddings.weight"][0])
        for i in range(self.cfg["encoder"]["num_hidden_layers"]):
            x = self.layer(f"encoder.encoder.layer.{i}.", x)
        return x

    def score(self, header, windows):
        hq, hc = self.encode(header), self.encode(windows)
        pool = torch.softmax(hq @ self.w["pool.weight"], -1)
        q = (pool.unsqueeze(-1) * hq).sum(1)
        sim = F.cosine_similarity(hc, q.unsqueeze(1), dim=-1)
        match = torch.isin(windows, header).long() + 1
        x = hc + self.w["segment.weight"][match] + sim.unsqueeze(-1) * self.w["similarity.weight"]
        h = (hq + self.w["segment.weight"][0] + self.w["unit.weight"][1]).expand(len(windows), -1, -1)
        x = self.norm("norm", torch.cat([h, x], 1))
        for i in range(self.cfg["joint_layers"]):
            x = self.layer(f"joint.{i}.", x)
        return self.lin("tag", x[:, header.shape[1] :]), self.lin("relevance", x[:, 0])


def torch_speed(critic, tokens):
    rng = np.random.default_rng(1)
    header = torch.from_numpy(rng.integers(1000, 30000, (1, 14)))
    windows = torch.from_numpy(rng.integers(1000, 30000, (16, 256)))
    with torch.inference_mode():
        critic.score(header, windows)
        began, n = time.perf_counter(), 0
        while n < tokens:
            critic.score(header, windows)
            n += windows.numel()
        return n / (time.perf_counter() - began)


def cprs_speed(args, extra):
    out = subprocess.run([args.cprs, "bench", "--json", *extra], capture_output=True, check=True, text=True).stdout
    return json.loads(out)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--cprs", default="./cprs")
    ap.add_argument("--critic", required=True)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--tokens", type=int, default=40000, help="that PyTorch reads in a round")
    args = ap.parse_args()
    critic = Critic(args.critic)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    ours, theirs = [], []
    for i in range(args.rounds):
        theirs.append(torch_speed(critic, args.tokens))
        r = cprs_speed(args, [])
        ours.append(r["end_to_end"]["tokens_per_second"])
        print(f"round {i + 1}: PyTorch f32 {theirs[-1]:,.0f} tokens/s, cprs int8 end to end {ours[-1]:,.0f} tokens/s", flush=True)
    print(f"ratio of the medians: {statistics.median(ours) / statistics.median(theirs):.2f}")


if __name__ == "__main__":
    main()
