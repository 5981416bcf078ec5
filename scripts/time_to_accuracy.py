#!/usr/bin/env python3
"""Trains a network on CIFAR-10 from nothing with Striate, and with PyTorch by the same recipe, and says when each reached
which share of the test images.

  scripts/time_to_accuracy.py cifar10/ --peers PYTHON
  scripts/time_to_accuracy.py cifar10/ --epochs 24 --goals 90 91 --out runs/race

DATA holds train/<class>/* and test/<class>/*. All training images are trained on and the test images are scored after every
epoch, which is how such races are run; nothing is chosen by them. The time is that of training and scoring, from the first
step's batch on; reading the files before it does not count for either (PyTorch gets the pictures decoded, in memory, and
augments whole batches of them at once). The recipe is Striate's default for these images: SGD with Nesterov momentum 0.9,
weight decay but for biases and normalisation, one cycle, shifts of 4 pixels, mirroring. Leave the machine alone meanwhile.
Without --peers, Striate alone. Logs, one row an epoch: OUT/striate.csv, OUT/pytorch.csv.
"""
import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
FIELDS = ["epoch", "seconds", "train_loss", "test_accuracy"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def write(path, rows):
    with open(path, "w", newline="") as file:
        log = csv.DictWriter(file, FIELDS)
        log.writeheader()
        log.writerows(rows)


def striate(a, out):
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "cifar10")
        os.makedirs(data)
        for part, source in (("train", "train"), ("val", "test")):
            os.symlink(os.path.abspath(os.path.join(a.data, source)), os.path.join(data, part))
        command = [a.striate, "train", data, "--model", a.model, "--epochs", str(a.epochs), "--batch", str(a.batch),
                   "--lr", str(a.lr), "--weight-decay", str(a.weight_decay), "--optimizer", "sgd", "--schedule", "one-cycle",
                   "--shift", "4", "--flip", "true", "--threads", str(a.threads), "--out", os.path.join(folder, "runs"),
                   "--seed", str(a.seed), "--json", *a.more]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"failed: {' '.join(command)}")
        run = json.loads(done.stdout.strip().splitlines()[-1])["run"]
        with open(os.path.join(run, "metrics.csv"), newline="") as file:
            rows = [{"epoch": int(r["epoch"]), "seconds": float(r["seconds"]), "train_loss": float(r["train_loss"]),
                     "test_accuracy": float(r["val_accuracy"])} for r in csv.DictReader(file)]
    write(out, rows)
    return rows


def load(folder):
    """Pictures and labels of a part, as tensors of bytes, and of class indices."""
    import numpy
    import torch
    from PIL import Image

    pictures, labels = [], []
    for label, name in enumerate(sorted(os.listdir(folder))):
        for file in sorted(os.listdir(os.path.join(folder, name))):
            with Image.open(os.path.join(folder, name, file)) as picture:
                pictures.append(numpy.asarray(picture.convert("RGB")))
            labels.append(label)
    return torch.from_numpy(numpy.stack(pictures)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def pytorch(a):
    """Runs in the peers' Python; prints the rows as JSON."""
    import torch
    from torch import nn

    sys.path.insert(0, HERE)
    import peers

    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    train, labels = load(os.path.join(a.data, "train"))
    test, truth = load(os.path.join(a.data, "test"))
    mean = train.float().mean((0, 2, 3), keepdim=True)
    std = train.float().std((0, 2, 3), keepdim=True)
    layout = torch.channels_last if a.layout == "nhwc" else torch.contiguous_format
    model, _ = peers.build(a.model, int(labels.max()) + 1)
    peers.initialise(model)
    model = model.to(memory_format=layout)
    optimiser = peers.nesterov(model, a.lr, a.weight_decay)
    steps_per_epoch = len(train) // a.batch + (len(train) % a.batch > 1)
    steps, step, rows = a.epochs * steps_per_epoch, 0, []

    def augmented(pictures):
        n = len(pictures)
        padded = nn.functional.pad(pictures, (4, 4, 4, 4))
        rows = torch.randint(0, 9, (n, 1)) + torch.arange(32)
        cols = torch.randint(0, 9, (n, 1)) + torch.arange(32)
        mirrored = torch.rand(n, 1) < 0.5
        cols = torch.where(mirrored, cols.flip(1), cols)
        return padded[torch.arange(n)[:, None, None, None], torch.arange(3)[None, :, None, None], rows[:, None, :, None],
                      cols[:, None, None, :]]

    def network_input(pictures):
        return ((pictures.float() - mean) / std).contiguous(memory_format=layout)

    begun = time.perf_counter()
    for epoch in range(1, a.epochs + 1):
        model.train()
        order, total = torch.randperm(len(train)), 0.0
        for i in range(steps_per_epoch):
            chosen = order[i * a.batch:(i + 1) * a.batch]
            for group in optimiser.param_groups:
                group["lr"] = peers.one_cycle(a.lr, step, steps)
            loss = nn.functional.cross_entropy(model(network_input(augmented(train[chosen]))), labels[chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total, step = total + loss.item(), step + 1
        model.eval()
        with torch.inference_mode():
            right = sum((model(network_input(test[i:i + 500])).argmax(1) == truth[i:i + 500]).sum().item()
                        for i in range(0, len(test), 500))
        rows.append({"epoch": epoch, "seconds": time.perf_counter() - begun, "train_loss": total / steps_per_epoch,
                     "test_accuracy": right / len(test)})
        say(f"PyTorch, epoch {epoch}: {rows[-1]['test_accuracy']:.2%} after {rows[-1]['seconds']:.0f} s")
    print(json.dumps(rows))


def reached(rows, goal):
    return next(((r["seconds"], r["epoch"]) for r in rows if r["test_accuracy"] * 100 >= goal), None)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data")
    p.add_argument("--peers", metavar="PYTHON", default=os.environ.get("STRIATE_PEERS"))
    p.add_argument("--striate", metavar="PATH", default=os.path.join(ROOT, "target/release/striate"))
    p.add_argument("--model", default="resnet20")
    p.add_argument("--epochs", type=int, default=24)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--lr", type=float, default=0.2)
    p.add_argument("--weight-decay", type=float, default=5e-4)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--layout", choices=["nchw", "nhwc"], default="nchw", help="PyTorch's; take the faster one")
    p.add_argument("--goals", type=float, nargs="+", default=[90, 91, 92], help="per cent of the test images")
    p.add_argument("--out", default="runs/race")
    p.add_argument("--only", choices=["striate", "pytorch"])
    p.add_argument("--more", nargs=argparse.REMAINDER, default=[], help="further options of striate train")
    p.add_argument("--in-peers", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.in_peers:
        return pytorch(a)
    os.makedirs(a.out, exist_ok=True)
    logs = {}
    if a.only != "pytorch":
        logs["Striate"] = striate(a, os.path.join(a.out, "striate.csv"))
    if a.peers and a.only != "striate":
        own = [a.peers, os.path.abspath(__file__), *[word for word in sys.argv[1:] if word != "--more" and word not in a.more]]
        done = subprocess.run([*own, "--in-peers"], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit("PyTorch failed")
        logs["PyTorch"] = json.loads(done.stdout.strip().splitlines()[-1])
        write(os.path.join(a.out, "pytorch.csv"), logs["PyTorch"])
    print("| | " + " | ".join(f"{goal:g} %" for goal in a.goals) + " | best | in all |")
    print("|---|" + "---:|" * (len(a.goals) + 2))
    for name, rows in logs.items():
        cells = [f"{at[0]:.0f} s (epoch {at[1]})" if (at := reached(rows, goal)) else "–" for goal in a.goals]
        best = max(r["test_accuracy"] for r in rows)
        print(f"| {name} | " + " | ".join(cells) + f" | {best:.2%} | {rows[-1]['seconds']:.0f} s |")


if __name__ == "__main__":
    main()
