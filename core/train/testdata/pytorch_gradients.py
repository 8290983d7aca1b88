"""Writes gradients.json: losses and gradients of the tiny critic on batch.json, by PyTorch in float64.

    python pytorch_gradients.py            in this folder; needs torch and numpy

The loss is written anew from its description, not translated: it is the check of loss.go and core/model/graph.
"""

import json
import math
import struct

import numpy as np
import torch
import torch.nn.functional as F

RANKING, RELEVANCE, FLOOR = 0.5, 0.25, 1e-4
IGNORED, EVIDENCE, OTHER = 0, 1, 2
TAG_WEIGHTS = [2.0, 1.5, 1.0, 2.0]


def weights(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    out = {}
    for name, t in json.loads(raw[8 : 8 + n]).items():
        lo, hi = t["data_offsets"]
        data = np.frombuffer(raw[8 + n + lo : 8 + n + hi], np.float32).astype(np.float64)
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

    def judge(self, hq, hmask, pool, hc, cmask, segments, grains):
        w = self.w
        share = (hq @ w["pool.weight"]).masked_fill(~pool, -1e9).softmax(-1)
        question = (share[..., None] * hq).sum(1)
        sim = (F.normalize(hc, dim=-1) * F.normalize(question, dim=-1)[:, None]).sum(-1)
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


def main():
    b = json.load(open("batch.json"))
    ints = lambda key, *shape: torch.tensor(b[key]).long().view(*shape)
    nums = lambda key, *shape: torch.tensor(b[key]).double().view(*shape)
    P, T, U = b["Pairs"], b["WindowTokens"], b["Units"]
    rows = lambda ids, lengths, n, t: (ints(ids, n, t), torch.arange(t)[None] < ints(lengths, n)[:, None])
    wids, wmask = rows("WindowIDs", "WindowLengths", b["Windows"], T)
    hids, hmask = rows("HeaderIDs", "HeaderLengths", b["Headers"], b["HeaderTokens"])
    pool = torch.tensor(b["Pool"]).view(b["Headers"], b["HeaderTokens"])
    pw, ph, counted = ints("PairWindow", P), ints("PairHeader", P), nums("PairCounts", P)

    w = weights("tiny/model.safetensors")
    c = Critic(json.load(open("tiny/config.json")), w)
    hq, hc = c.encode(hids, hmask), c.encode(wids, wmask)
    tags, relevance = c.judge(hq[ph], hmask[ph], pool[ph], hc[pw], wmask[pw], ints("Segments", P, T), ints("Grains", P))

    logs, target, counts = tags.log_softmax(-1), ints("Tags", P, T), nums("Counts", P, T)
    weight = torch.tensor(TAG_WEIGHTS).double()[target] * counts
    tag_loss = -(weight * logs.gather(-1, target[..., None])[..., 0]).sum() / weight.sum().clamp(min=1)

    bce = F.binary_cross_entropy_with_logits(relevance, nums("Relevant", P), reduction="none")
    relevance_loss = (bce * counted).sum() / counted.sum().clamp(min=1)

    keep, unit, roles = 1 - logs[..., 2].exp(), ints("UnitOf", P, T), ints("Roles", P, U)
    questions = {}
    for p in range(P):
        if counted[p] == 0:
            continue
        for u in range(U):
            if roles[p, u] != IGNORED:
                mean = keep[p][unit[p] == u].mean()
                mean = FLOOR + (1 - 2 * FLOOR) * mean
                questions.setdefault(int(ph[p]), []).append((int(roles[p, u]), mean / (1 - mean)))
    each = []
    for units in questions.values():
        rivals = sum(o for r, o in units if r == OTHER)
        own = [torch.log(1 + rivals / o) for r, o in units if r == EVIDENCE]
        if own:
            each.append(sum(own) / len(own))
    rank_loss = sum(each) / len(each)

    total = tag_loss + RELEVANCE * relevance_loss + RANKING * rank_loss
    total.backward()
    out = {"Total": total.item(), "Tags": tag_loss.item(), "Relevance": relevance_loss.item(), "Rank": rank_loss.item(), "Gradients": {}}
    for name, t in sorted(w.items()):
        g = (t.grad if t.grad is not None else torch.zeros_like(t)).flatten()
        out["Gradients"][name] = {"Norm": g.norm().item(), "Probe": (g * torch.arange(len(g)).double().cos()).sum().item()}
    json.dump(out, open("gradients.json", "w"), indent=1)


main()
