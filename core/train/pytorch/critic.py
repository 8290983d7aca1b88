"""The late-join critic in PyTorch, with the losses of its training, written from their description: what core/model and core/train are held to.

Needs torch and numpy; cprs itself needs neither.
"""

import json
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F

TYPES = {"F32": np.float32, "F16": np.float16, "I32": np.int32, "U8": np.uint8}
RELEVANCE, FLOOR = 0.25, 1e-4
EVIDENCE, OTHER = 1, 2
TAG_WEIGHTS = [2.0, 1.5, 1.0, 2.0]


def read(stream):
    """The tensors of the next safetensors file of a stream, None at its end."""
    size = stream.read(8)
    if not size:
        return None
    head = json.loads(stream.read(struct.unpack("<Q", size)[0]))
    out = {}
    for name, t in sorted(head.items(), key=lambda e: e[1]["data_offsets"]):
        lo, hi = t["data_offsets"]
        out[name] = torch.from_numpy(np.frombuffer(stream.read(hi - lo), TYPES[t["dtype"]]).reshape(t["shape"]).copy())
    return out


def load(folder, dtype):
    """The critic of a folder, in f16 or f32, to compute in dtype."""
    with open(os.path.join(folder, "model.safetensors"), "rb") as f:
        weights = {name: w.to(dtype).requires_grad_() for name, w in read(f).items()}
    with open(os.path.join(folder, "config.json")) as f:
        return Critic(json.load(f), weights)


class Attention(torch.autograd.Function):
    """Scaled dot-product attention. PyTorch's own gradient of it takes twice as long on a CPU."""

    ROWS = 2  # whose scores fit a core's cache

    @staticmethod
    def forward(ctx, q, k, v, mask):
        ctx.save_for_backward(q, k, v, mask)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    @staticmethod
    def backward(ctx, gradient):
        q, k, v, mask = ctx.saved_tensors
        heads, tokens, size = q.shape[1:]
        scale, gradients = size**-0.5, [torch.empty_like(x) for x in (q, k, v)]
        scaled = q * scale
        hidden = torch.zeros(mask.shape, dtype=q.dtype).masked_fill(~mask, -1e4)
        for rows in (slice(i, i + Attention.ROWS) for i in range(0, len(q), Attention.ROWS)):
            qr, kr, vr, gr = (x[rows].reshape(-1, tokens, size) for x in (scaled, k, v, gradient))
            scores = torch.bmm(qr, kr.transpose(1, 2)).view(-1, heads, tokens, tokens) + hidden[rows]
            share = scores.softmax(-1).view(-1, tokens, tokens)
            of_scores = torch._softmax_backward_data(torch.bmm(gr, vr.transpose(1, 2)), share, -1, q.dtype)
            parts = torch.bmm(of_scores, kr) * scale, torch.bmm(of_scores.transpose(1, 2), qr), torch.bmm(share.transpose(1, 2), gr)
            for whole, part in zip(gradients, parts):
                whole[rows] = part.view(-1, heads, tokens, size)
        return *gradients, None


class Critic:
    def __init__(self, cfg, weights, frozen=-1):
        """frozen is how many encoder layers, with the embeddings, have no gradient; negative: none."""
        self.cfg, self.w, self.frozen = cfg, weights, frozen
        self.heads, self.eps = cfg["encoder"]["num_attention_heads"], cfg["encoder"]["layer_norm_eps"]

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], self.eps)

    def layer(self, p, x, mask):
        b, t, h = x.shape
        q, k, v = (self.linear(p + "attention.self." + n, x).view(b, t, self.heads, -1).transpose(1, 2) for n in ("query", "key", "value"))
        y = Attention.apply(q, k, v, mask[:, None, None, :]).transpose(1, 2).reshape(b, t, h)
        x = self.norm(p + "attention.output.LayerNorm", x + self.linear(p + "attention.output.dense", y))
        y = F.gelu(self.linear(p + "intermediate.dense", x))
        return self.norm(p + "output.LayerNorm", x + self.linear(p + "output.dense", y))

    def encode(self, ids, mask):
        """States [rows, tokens, hidden] of headers or of windows."""
        e, lowest = "encoder.embeddings.", max(0, self.frozen)
        with torch.set_grad_enabled(self.frozen < 0 and torch.is_grad_enabled()):
            x = F.embedding(ids, self.w[e + "word_embeddings.weight"]) + self.w[e + "position_embeddings.weight"][: ids.shape[1]]
            x = self.norm(e + "LayerNorm", x + self.w[e + "token_type_embeddings.weight"][0])
            for i in range(lowest):
                x = self.layer(f"encoder.encoder.layer.{i}.", x, mask)
        for i in range(lowest, self.cfg["encoder"]["num_hidden_layers"]):
            x = self.layer(f"encoder.encoder.layer.{i}.", x, mask)
        return x.to(self.w["norm.weight"].dtype)

    def similarity(self, hq, pool, hc):
        """Cosine of each state of a window with the pooled question [pairs, tokens]."""
        share = (hq @ self.w["pool.weight"]).to(hq.dtype).masked_fill(~pool, -1e9).softmax(-1)
        question = (share[..., None] * hq).sum(1)
        return (F.normalize(hc, dim=-1) * F.normalize(question, dim=-1)[:, None]).sum(-1)

    def judge(self, hq, hmask, pool, hc, cmask, segments, grains):
        """Tag logits [pairs, tokens, 4] and relevance logits [pairs]."""
        w, sim = self.w, self.similarity(hq, pool, hc)
        header = hq + w["segment.weight"][0] + w["unit.weight"][grains][:, None]
        context = hc + F.embedding(segments, w["segment.weight"]) + sim[..., None] * w["similarity.weight"]
        x, mask = self.norm("norm", torch.cat([header, context], 1)), torch.cat([hmask, cmask], 1)
        for i in range(self.cfg["joint_layers"]):
            x = self.layer(f"joint.{i}.", x, mask)
        at = torch.arange(hc.shape[1])
        near = ((at[:, None] - at[None]).abs() <= 8).to(hc.dtype)
        inside = cmask.to(hc.dtype)
        mean = (sim * inside) @ near / (inside @ near).clamp(min=1)
        tags = self.linear("tag", x[:, hq.shape[1] :]).to(hc.dtype)
        tags = tags + (mean.to(hc.dtype) - w["direct.bias"])[..., None] * w["direct.weight"]
        return tags, self.linear("relevance", x[:, 0])[:, 0].to(hc.dtype)

    def losses(self, b, ranking, half=False):
        """The losses of core/train/loss.go on a batch of core/train.Export: tags, relevance, ranking and the sum that is learned from."""
        pairs = int(b["pair_counts"].sum())  # those that count come first
        ph, pw = b["pair_header"][:pairs].long(), b["pair_window"][:pairs].long()
        headers, windows = int(ph.max()) + 1, int(pw.max()) + 1
        tokens = int(b["window_lengths"][:windows].max())
        of = lambda key: b[key][:pairs, :tokens].long()
        rows = lambda key, n, t: (b[key + "_ids"][:n, :t].long(), torch.arange(t)[None] < b[key + "_lengths"][:n, None])
        (wids, wmask), (hids, hmask) = rows("window", windows, tokens), rows("header", headers, int(b["header_lengths"].max()))
        pool = b["pool"][:headers, : hids.shape[1]].bool()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            hq, hc = self.encode(hids, hmask), self.encode(wids, wmask)
            tags, relevance = self.judge(hq[ph], hmask[ph], pool[ph], hc[pw], wmask[pw], of("segments"), b["grains"][:pairs].long())

        logs, target = tags.log_softmax(-1), of("tags")
        weight = logs.new_tensor(TAG_WEIGHTS)[target] * b["counts"][:pairs, :tokens]
        tag_loss = -(weight * logs.gather(-1, target[..., None])[..., 0]).sum() / weight.sum().clamp(min=1)
        relevance_loss = F.binary_cross_entropy_with_logits(relevance, b["relevant"][:pairs].to(logs.dtype))

        roles = b["roles"][:pairs]
        member = F.one_hot(of("units") + 1, roles.shape[1] + 1)[..., 1:].to(logs.dtype)
        mean = torch.einsum("pt,ptu->pu", 1 - logs[..., 2].exp(), member) / member.sum(1).clamp(min=1)
        mean = FLOOR + (1 - 2 * FLOOR) * mean
        odds = mean / (1 - mean)
        same = (ph[:, None] == ph[None]).to(logs.dtype)
        rivals = same @ (odds * (roles == OTHER)).sum(1)
        evidence = (roles == EVIDENCE).to(logs.dtype)
        evidence = evidence / (same @ evidence.sum(1)).clamp(min=1)[:, None]  # each question counts the same
        rank_loss = (torch.log1p(rivals[:, None] / odds) * evidence).sum() / evidence.sum().clamp(min=1)
        return tag_loss, relevance_loss, rank_loss, tag_loss + RELEVANCE * relevance_loss + ranking * rank_loss
