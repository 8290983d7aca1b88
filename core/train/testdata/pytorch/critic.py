"""The late-join critic in PyTorch, written anew from its description: the check of core/model/graph."""

import json
import math
import struct

import numpy as np
import torch
import torch.nn.functional as F

TYPES = {"F32": np.float32, "F16": np.float16}


def weights(path):
    """The tensors of a safetensors file in f32 or f16, by name, as float64."""
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    out = {}
    header = json.loads(raw[8 : 8 + n])
    header.pop("__metadata__", None)
    for name, t in header.items():
        lo, hi = t["data_offsets"]
        data = np.frombuffer(raw[8 + n + lo : 8 + n + hi], TYPES[t["dtype"]]).astype(np.float64)
        out[name] = torch.tensor(data.reshape(t["shape"]), requires_grad=True)
    return out


class Critic:
    def __init__(self, cfg, w):
        self.cfg, self.w, self.eps = cfg, w, cfg["encoder"]["layer_norm_eps"]
        self.heads = cfg["encoder"]["num_attention_heads"]

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], self.eps)

    def layer(self, p, x, mask):
        b, t, h = x.shape
        split = lambda y: y.view(b, t, self.heads, h // self.heads).transpose(1, 2)
        q, k, v = (split(self.linear(p + "attention.self." + n, x)) for n in ("query", "key", "value"))
        scores = q @ k.transpose(-1, -2) / math.sqrt(h // self.heads)
        scores = scores.masked_fill(~mask[:, None, None, :], -1e9)
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, h)
        x = self.norm(p + "attention.output.LayerNorm", x + self.linear(p + "attention.output.dense", y))
        y = F.gelu(self.linear(p + "intermediate.dense", x))
        return self.norm(p + "output.LayerNorm", x + self.linear(p + "output.dense", y))

    def encode(self, ids, mask):
        e, w = "encoder.embeddings.", self.w
        x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: ids.shape[1]]
        x = self.norm(e + "LayerNorm", x + w[e + "token_type_embeddings.weight"][0])
        for i in range(self.cfg["encoder"]["num_hidden_layers"]):
            x = self.layer(f"encoder.encoder.layer.{i}.", x, mask)
        return x

    def similarity(self, hq, pool, hc):
        share = (hq @ self.w["pool.weight"]).masked_fill(~pool, -1e9).softmax(-1)
        question = (share[..., None] * hq).sum(1)
        return (F.normalize(hc, dim=-1) * F.normalize(question, dim=-1)[:, None]).sum(-1)

    def judge(self, hq, hmask, pool, hc, cmask, segments, grains):
        """Tag logits [pairs, tokens, 4] and relevance logits [pairs]."""
        w, sim = self.w, self.similarity(hq, pool, hc)
        header = hq + w["segment.weight"][0] + w["unit.weight"][grains][:, None]
        context = hc + w["segment.weight"][segments] + sim[..., None] * w["similarity.weight"]
        x, mask = self.norm("norm", torch.cat([header, context], 1)), torch.cat([hmask, cmask], 1)
        for i in range(self.cfg["joint_layers"]):
            x = self.layer(f"joint.{i}.", x, mask)
        at = torch.arange(hc.shape[1])
        near = ((at[:, None] - at[None]).abs() <= 8).double()
        inside = cmask.double()
        mean = (sim * inside) @ near / (inside @ near).clamp(min=1)
        tags = self.linear("tag", x[:, hq.shape[1] :])
        tags = tags + (mean - w["direct.bias"])[..., None] * w["direct.weight"]
        return tags, self.linear("relevance", x[:, 0])[:, 0]
