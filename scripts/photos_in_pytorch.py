#!/usr/bin/env python3
"""Trains on a folder of photographs from nothing with PyTorch, by the recipe that `striate train` chooses for few photographs;
prints the validation accuracy of the best epoch and of the last.

  PYTHON scripts/photos_in_pytorch.py hymenoptera/ --seeds 0 1 2
  striate train hymenoptera/ --seed 0                        the same in Striate

DATA holds train/<class>/* and val/<class>/*. The recipe: ResNet-20 at 64 x 64, batches of 16, 100 epochs of SGD with Nesterov
momentum in one cycle up to 0.0125, weight decay 0.0005 but for biases and normalisation; crops of 35 to 100 % of the area,
mirroring, brightness, contrast and saturation by up to 20 %; validation on the middle of the picture brought to 72 pixels.
Needs torch and torchvision.
"""
import argparse
import os
import statistics
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peers


def mean_and_std(folder, size):
    plain = transforms.Compose([transforms.Resize(72), transforms.CenterCrop(size), transforms.ToTensor()])
    pixels = torch.stack([picture for picture, _ in datasets.ImageFolder(folder, plain)])
    return pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))


def run(a, seed):
    """The validation accuracy after every epoch."""
    torch.manual_seed(seed)
    size = 64
    normal = transforms.Normalize(*mean_and_std(os.path.join(a.data, "train"), size))
    changed = transforms.Compose([
        transforms.RandomResizedCrop(size, scale=(0.35, 1)), transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(0.2, 0.2, 0.2), transforms.ToTensor(), normal,
    ])
    plain = transforms.Compose([transforms.Resize(72), transforms.CenterCrop(size), transforms.ToTensor(), normal])
    train = datasets.ImageFolder(os.path.join(a.data, "train"), changed)
    val = datasets.ImageFolder(os.path.join(a.data, "val"), plain)
    # A last batch of one image would have no variance.
    batches = DataLoader(train, a.batch, shuffle=True, drop_last=len(train) % a.batch == 1)
    judged = [(x, y) for x, y in DataLoader(val, 100)]
    model, _ = peers.build("resnet20", len(train.classes))
    peers.initialise(model)
    optimiser = peers.nesterov(model, a.lr, a.weight_decay)
    steps, step, accuracy = a.epochs * len(batches), 0, []
    for epoch in range(a.epochs):
        model.train()
        for x, y in batches:
            for group in optimiser.param_groups:
                group["lr"] = peers.one_cycle(a.lr, step, steps)
            optimiser.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
            step += 1
        model.eval()
        with torch.inference_mode():
            right = sum((model(x).argmax(1) == y).sum().item() for x, y in judged)
        accuracy.append(right / len(val))
    return accuracy


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data")
    p.add_argument("--epochs", type=int, default=100)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--lr", type=float, default=0.0125)
    p.add_argument("--weight-decay", type=float, default=5e-4)
    p.add_argument("--seeds", type=int, nargs="+", default=[0])
    p.add_argument("--threads", type=int, default=os.cpu_count())
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    runs = {seed: run(a, seed) for seed in a.seeds}
    for seed, accuracy in runs.items():
        print(f"seed {seed}: best {max(accuracy):.2%} (epoch {accuracy.index(max(accuracy)) + 1}), last {accuracy[-1]:.2%}")
    print(f"mean of the best {statistics.mean(max(r) for r in runs.values()):.2%}, of the last "
          f"{statistics.mean(r[-1] for r in runs.values()):.2%}")


if __name__ == "__main__":
    main()
