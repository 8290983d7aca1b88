"""Writes ../testdata/gradients.json: losses and gradients of the tiny critic on ../testdata/batch.json, in float64.

    python gradients.py            needs torch and numpy
"""

import json
import os

import torch

import critic

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../testdata")
RANKING = 0.5
# The names of the batch's tensors here and in the file.
NAMES = {
    "window_ids": "WindowIDs", "window_lengths": "WindowLengths", "header_ids": "HeaderIDs", "header_lengths": "HeaderLengths",
    "pool": "Pool", "pair_window": "PairWindow", "pair_header": "PairHeader", "segments": "Segments", "tags": "Tags", "units": "UnitOf",
    "grains": "Grains", "roles": "Roles", "counts": "Counts", "relevant": "Relevant", "pair_counts": "PairCounts",
}
ROWS = {"window_ids": "Windows", "header_ids": "Headers", "pool": "Headers", "segments": "Pairs", "tags": "Pairs", "units": "Pairs", "roles": "Pairs", "counts": "Pairs"}


def main():
    file = json.load(open(os.path.join(DATA, "batch.json")))
    batch = {name: torch.tensor(file[key]) for name, key in NAMES.items()}
    for name, rows in ROWS.items():
        batch[name] = batch[name].view(file[rows], -1)
    c = critic.load(os.path.join(DATA, "tiny"), torch.float64)
    tags, relevance, rank, total = c.losses(batch, RANKING)
    total.backward()
    out = {"Total": total.item(), "Tags": tags.item(), "Relevance": relevance.item(), "Rank": rank.item(), "Gradients": {}}
    for name, t in sorted(c.w.items()):
        g = (t.grad if t.grad is not None else torch.zeros_like(t)).flatten()
        out["Gradients"][name] = {"Norm": g.norm().item(), "Probe": (g * torch.arange(len(g)).double().cos()).sum().item()}
    json.dump(out, open(os.path.join(DATA, "gradients.json"), "w"), indent=1)


main()
