"""Trains a late-join critic in PyTorch on the batches of cprs, in bfloat16 on a CPU that has it: there it is twice as fast as XLA.

    cprs data batches --data data/train --steps 2000 --batch-tokens 8192 | python train.py --out run --steps 2000

The same losses, optimiser and schedule as core/train. OUT/state.pt is what --resume goes on from, with the batches of
`cprs data batches --first STEP`; OUT/critic is the critic, in half precision: use it with cprs --critic OUT/critic.
"""

import argparse
import json
import math
import os
import struct
import sys
import time

import numpy as np
import torch

from critic import Critic, read


def write(folder, weights, files):
    """A critic in half precision, with the files beside its weights."""
    os.makedirs(folder, exist_ok=True)
    head, parts, end = {}, [], 0
    for name in sorted(weights):
        data = weights[name].detach().to(torch.float16).numpy().tobytes()
        head[name] = {"dtype": "F16", "shape": list(weights[name].shape), "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    files = {**files, "model.safetensors": struct.pack("<Q", len(text)) + text + b"".join(parts)}
    for name, data in files.items():
        with open(os.path.join(folder, name + ".part"), "wb") as f:
            f.write(data)
        os.replace(f.name, os.path.join(folder, name))


def is_trained(name, frozen):
    if frozen < 0 or not name.startswith("encoder."):
        return True
    return ".layer." in name and int(name.split(".")[3]) >= frozen


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", required=True)
    ap.add_argument("--steps", type=int, required=True)
    ap.add_argument("--resume", action="store_true")
    ap.add_argument("--warm-up", type=int, default=50)
    ap.add_argument("--joint-rate", type=float, default=2e-4)
    ap.add_argument("--encoder-rate", type=float, default=5e-5)
    ap.add_argument("--frozen", type=int, default=3, help="encoder layers, with the embeddings, that are not trained; -1: all is trained")
    ap.add_argument("--ranking", type=float, default=0.25)
    ap.add_argument("--average", type=float, default=0.99)
    ap.add_argument("--save-every", type=int, default=100, help="steps")
    args = ap.parse_args()

    weights = read(sys.stdin.buffer)
    files = {name: bytes(weights.pop(name).numpy()) for name in ("config.json", "tokenizer.json")}
    trained = {n: w.requires_grad_() for n, w in weights.items() if is_trained(n, args.frozen)}
    groups = {}
    for name, w in trained.items():
        joint, matrix = not name.startswith("encoder."), w.dim() == 2
        groups.setdefault((joint, matrix), []).append(w)
    optimizer = torch.optim.AdamW(
        [{"params": ws, "peak": args.joint_rate if joint else args.encoder_rate, "weight_decay": 0.01 if matrix else 0} for (joint, matrix), ws in groups.items()],
        betas=(0.9, 0.98), eps=1e-6)
    average = {n: w.detach().clone() for n, w in trained.items()}
    critic, first = Critic(json.loads(files["config.json"]), weights, args.frozen), 0
    os.makedirs(args.out, exist_ok=True)
    state = os.path.join(args.out, "state.pt")
    if args.resume:
        saved = torch.load(state)
        first = saved["step"]
        optimizer.load_state_dict(saved["optimizer"])
        for n in trained:
            trained[n].data.copy_(saved["weights"][n])
            average[n].copy_(saved["average"][n])

    def save(step):
        torch.save({"step": step, "optimizer": optimizer.state_dict(), "weights": trained, "average": average}, state + ".part")
        os.replace(state + ".part", state)
        write(os.path.join(args.out, "critic"), {**weights, **average}, files)

    log = open(os.path.join(args.out, "log.csv"), "a" if args.resume else "w")
    if not args.resume:
        log.write("step,tags,relevance,rank,loss\n")
    began, read_tokens, recent = time.time(), 0, []
    for step in range(first, args.steps):
        b = read(sys.stdin.buffer)
        if b is None:
            sys.exit(f"error: the batches end at step {step}")
        done = (step - args.warm_up) / max(1, args.steps - args.warm_up)
        scale = (step + 1) / (args.warm_up + 1) if step < args.warm_up else 0.5 * (1 + math.cos(math.pi * done))
        for g in optimizer.param_groups:
            g["lr"] = scale * g["peak"]
        optimizer.zero_grad()
        losses = critic.losses(b, args.ranking, half=True)
        losses[-1].backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        keep = min(args.average, (step + 1) / (step + 11))
        for n, w in trained.items():
            average[n].mul_(keep).add_(w.detach(), alpha=1 - keep)
        windows = b["window_lengths"][b["window_lengths"] > 1]
        read_tokens += int(windows.sum())
        recent.append([x.item() for x in losses])
        log.write(",".join(str(x) for x in [step + 1, *recent[-1]]) + "\n")
        if (step + 1) % 10 == 0 or step + 1 == args.steps:
            mean = np.mean(recent[-100:], 0)
            speed = read_tokens / (time.time() - began)
            left = (args.steps - step - 1) * (time.time() - began) / (step + 1 - first)
            print(f"step {step + 1} of {args.steps}: loss {mean[3]:.3f} (tags {mean[0]:.3f}, relevance {mean[1]:.3f}, rank {mean[2]:.3f}), "
                  f"{speed:.0f} tokens/s, {left / 60:.0f} min left", file=sys.stderr, flush=True)
            log.flush()
        if (step + 1) % args.save_every == 0 or step + 1 == args.steps:
            save(step + 1)


main()
