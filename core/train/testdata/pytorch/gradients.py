"""Writes ../gradients.json: losses and gradients of the tiny critic on ../batch.json, by PyTorch in float64.

    python gradients.py            needs torch and numpy

The loss is written anew from its description, not translated: it is the check of loss.go.
"""

import json
import os

import torch
import torch.nn.functional as F

from critic import Critic, weights

HERE = os.path.dirname(os.path.abspath(__file__))
RANKING, RELEVANCE, FLOOR = 0.5, 0.25, 1e-4
IGNORED, EVIDENCE, OTHER = 0, 1, 2
TAG_WEIGHTS = [2.0, 1.5, 1.0, 2.0]


def main():
    b = json.load(open(os.path.join(HERE, "../batch.json")))
    ints = lambda key, *shape: torch.tensor(b[key]).long().view(*shape)
    nums = lambda key, *shape: torch.tensor(b[key]).double().view(*shape)
    P, T, U = b["Pairs"], b["WindowTokens"], b["Units"]
    rows = lambda ids, lengths, n, t: (ints(ids, n, t), torch.arange(t)[None] < ints(lengths, n)[:, None])
    wids, wmask = rows("WindowIDs", "WindowLengths", b["Windows"], T)
    hids, hmask = rows("HeaderIDs", "HeaderLengths", b["Headers"], b["HeaderTokens"])
    pool = torch.tensor(b["Pool"]).view(b["Headers"], b["HeaderTokens"])
    pw, ph, counted = ints("PairWindow", P), ints("PairHeader", P), nums("PairCounts", P)

    w = weights(os.path.join(HERE, "../tiny/model.safetensors"))
    c = Critic(json.load(open(os.path.join(HERE, "../tiny/config.json"))), w)
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
    json.dump(out, open(os.path.join(HERE, "../gradients.json"), "w"), indent=1)


main()
