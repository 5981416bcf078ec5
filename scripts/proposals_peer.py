#!/usr/bin/env python3
"""OpenCV's selective search on the same pictures: boxes, time, and on a VOC folder recall and MABO, as one JSON object.

proposals_peer.py DATA [--part test] [--mode fast|quality|single] [--width 500] [--least-side 20] [--threads N] [--most N]
DATA is a VOC folder or a folder of pictures; needs opencv-contrib-python and numpy. OpenCV's fast mode makes 12 groupings, its
quality mode 100; the paper's make 8 and 80.
"""
import argparse
import json
import pathlib
import time
import xml.etree.ElementTree as xml

import cv2
import numpy as np


def overlaps(boxes, truth):
    w = np.minimum(boxes[:, 2], truth[2]) - np.maximum(boxes[:, 0], truth[0])
    h = np.minimum(boxes[:, 3], truth[3]) - np.maximum(boxes[:, 1], truth[1])
    both = np.clip(w, 0, None) * np.clip(h, 0, None)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return both / (area + (truth[2] - truth[0]) * (truth[3] - truth[1]) - both)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--part", default="test")
    parser.add_argument("--mode", default="fast", choices=["fast", "quality", "single"])
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--least-side", type=int, default=20)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--most", type=int, default=None, help="so many pictures, the first")
    args = parser.parse_args()
    if args.threads:
        cv2.setNumThreads(args.threads)
    voc = (args.data / "Annotations").is_dir()
    if voc:
        names = (args.data / "ImageSets" / "Main" / f"{args.part}.txt").read_text().split()
        files = [next((args.data / "JPEGImages").glob(f"{name}.*")) for name in names]
    else:
        files = sorted(f for f in args.data.rglob("*") if f.suffix.lower() in (".jpg", ".jpeg", ".png"))
    seconds, counts, best = 0.0, [], {}
    for file in files[: args.most]:
        picture = cv2.imread(str(file))
        scale = args.width / picture.shape[1]
        small = cv2.resize(picture, (args.width, max(1, round(picture.shape[0] * scale))))
        start = time.perf_counter()
        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
        search.setBaseImage(small)
        {"fast": search.switchToSelectiveSearchFast, "quality": search.switchToSelectiveSearchQuality,
         "single": search.switchToSingleStrategy}[args.mode]()
        boxes = search.process()
        seconds += time.perf_counter() - start
        boxes = boxes[(boxes[:, 2] >= args.least_side) & (boxes[:, 3] >= args.least_side)]
        counts.append(len(boxes))
        edges = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1) / scale
        if voc:
            for thing in xml.parse(args.data / "Annotations" / f"{file.stem}.xml").iter("object"):
                b = [float(thing.find(f"bndbox/{e}").text) for e in ("xmin", "ymin", "xmax", "ymax")]
                if b[2] > b[0] and b[3] > b[1] and thing.findtext("difficult", "0") != "1":
                    truth = (b[0] - 1, b[1] - 1, b[2], b[3])
                    best.setdefault(thing.findtext("name"), []).append(float(overlaps(edges, truth).max(initial=0)))
    everything = [v for values in best.values() for v in values]
    print(json.dumps({
        "engine": "opencv " + cv2.__version__, "mode": args.mode, "images": len(counts),
        "boxes_per_image": float(np.mean(counts)), "seconds_per_image": seconds / len(counts),
        "recall": float(np.mean(np.array(everything) >= 0.5)) if everything else None,
        "mabo": float(np.mean([np.mean(v) for v in best.values()])) if best else None}))


if __name__ == "__main__":
    main()
