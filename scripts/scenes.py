#!/usr/bin/env python3
"""Scenes with known boxes: elliptic cut-outs of real photographs on other photographs, as a VOC folder.

scenes.py OUT PICTURES… [--scenes N] [--seed S]; needs numpy and pillow. A cut-out's class is the photograph's name up to its
first `_`, or the cut-out's size (small, medium, large) with --by-size. A later cut-out may hide half of an earlier one at most.
"""
import argparse
import pathlib
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def compose(rng, photographs, by_size):
    ground = photographs[rng.integers(len(photographs))]
    scene = Image.open(ground).convert("RGB").resize((500, 375)).filter(ImageFilter.GaussianBlur(2))
    owner = np.full((375, 500), -1)
    things = []
    for index in range(int(rng.integers(2, 7))):
        source = photographs[rng.integers(len(photographs))]
        w = int(np.exp(rng.uniform(np.log(30), np.log(300))))
        h = int(np.clip(w * np.exp(rng.normal(0, 0.35)), 30, 300))
        x, y = int(rng.integers(0, 500 - w + 1)), int(rng.integers(0, 375 - h + 1))
        mask = Image.new("L", (w * 4, h * 4))
        ImageDraw.Draw(mask).ellipse((0, 0, w * 4 - 1, h * 4 - 1), fill=255)
        mask = mask.resize((w, h), Image.LANCZOS)
        inside = np.asarray(mask) > 127
        trial = owner.copy()
        trial[y:y + h, x:x + w][inside] = index
        if any((trial == t["index"]).sum() < t["pixels"] / 2 for t in things):
            continue
        owner = trial
        photograph = Image.open(source).convert("RGB")
        side = min(photograph.size)
        left, top = (photograph.size[0] - side) // 2, (photograph.size[1] - side) // 2
        scene.paste(photograph.crop((left, top, left + side, top + side)).resize((w, h)), (x, y), mask)
        rows, columns = np.nonzero(inside)
        size = "small" if w * h < 64**2 else "medium" if w * h < 160**2 else "large"
        things.append({"index": index, "pixels": int(inside.sum()),
                       "name": size if by_size else source.stem.split("_")[0],
                       "box": (x + columns.min() + 1, y + rows.min() + 1, x + columns.max() + 1, y + rows.max() + 1)})
    return scene, things


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("pictures", nargs="+", type=pathlib.Path)
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--by-size", action="store_true")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(args.scenes):
        scene, things = compose(rng, sorted(args.pictures), args.by_size)
        name = f"scene{number:04}"
        scene.save(args.out / "JPEGImages" / f"{name}.jpg", quality=92)
        objects = "".join(
            f"<object><name>{escape(t['name'])}</name><difficult>0</difficult><bndbox>"
            + "".join(f"<{edge}>{v}</{edge}>" for edge, v in zip(("xmin", "ymin", "xmax", "ymax"), t["box"]))
            + "</bndbox></object>" for t in things)
        text = (f"<annotation><filename>{name}.jpg</filename><size><width>500</width><height>375</height>"
                f"<depth>3</depth></size>{objects}</annotation>\n")
        (args.out / "Annotations" / f"{name}.xml").write_text(text)
        names.append(name)
    (args.out / "ImageSets" / "Main" / "test.txt").write_text("\n".join(names) + "\n")


if __name__ == "__main__":
    main()
