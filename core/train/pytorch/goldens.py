"""Prints what a critic says of the inputs of a goldens file, in the form of core/model/latejoin/testdata/goldens.json.

    python goldens.py FOLDER GOLDENS > goldens.json            needs torch and numpy
"""

import json
import sys

import torch

import critic


def main(folder, inputs):
    c = critic.load(folder, torch.float64)
    rounded = lambda x: [rounded(y) for y in x] if isinstance(x, list) else round(x, 6)
    out = json.load(open(inputs))
    with torch.no_grad():
        for g in out:
            row = lambda key: torch.tensor(g[key])[None]
            full = lambda ids: torch.ones_like(ids, dtype=torch.bool)
            h, w, pool = row("header_ids"), row("context_ids"), row("pool_mask").bool()
            hq, hc = c.encode(h, full(h)), c.encode(w, full(w))
            tags, relevance = c.judge(hq, full(h), pool, hc, full(w), row("match"), torch.tensor([g["unit"]]))
            for key, states in (("hq_rows", hq), ("hc_rows", hc)):
                g[key] = {t: rounded(states[0, int(t)].tolist()) for t in g[key]}
            g["similarity"] = rounded(c.similarity(hq, pool, hc)[0].tolist())
            g["tag_logits"], g["relevance_logit"] = rounded(tags[0].tolist()), round(relevance.item(), 6)
    json.dump(out, sys.stdout)


main(*sys.argv[1:])
