#!/usr/bin/env python3
"""Trains a network in f32 and in bf16 from the same seeds, and says how accurate each became.

  scripts/precision_accuracy.py mnist/ --model lenet5 --epochs 6
  scripts/precision_accuracy.py cifar10/ --model resnet20 --epochs 4 --seeds 0 1 2

The accuracy is that on the test images, of the weights that were best on the images held out. Everything else is Striate's
default. One row a seed, then the means and what they differ by.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile


def accuracy(a, precision, seed):
    with tempfile.TemporaryDirectory() as runs:
        command = [a.striate, "train", a.data, "--model", a.model, "--epochs", str(a.epochs), "--precision", precision,
                   "--seed", str(seed), "--threads", str(a.threads), "--out", runs, "--json"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"failed: {' '.join(command)}\n{done.stderr[-800:]}")
        result = json.loads(done.stdout.strip().splitlines()[-1])
        return 100 * (result["test"] or result)["accuracy"], result["seconds"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data")
    p.add_argument("--model", required=True)
    p.add_argument("--epochs", type=int, required=True)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--threads", type=int, default=0, help="0: all cores [0]")
    p.add_argument("--striate", default="striate")
    a = p.parse_args()
    print("| seed | f32, % | bf16, % | f32, s | bf16, s |\n|---:|---:|---:|---:|---:|", flush=True)
    rows = []
    for seed in a.seeds:
        (full, full_s), (half, half_s) = (accuracy(a, precision, seed) for precision in ("f32", "bf16"))
        rows.append((full, half))
        print(f"| {seed} | {full:.2f} | {half:.2f} | {full_s:.0f} | {half_s:.0f} |", flush=True)
    full, half = (statistics.mean(column) for column in zip(*rows))
    print(f"| mean | {full:.2f} | {half:.2f} | | |\n\nbf16 − f32: {half - full:+.2f} points")


if __name__ == "__main__":
    main()
