#!/usr/bin/env python3
"""Other engines on the networks that performance.py measures; prints one JSON line. Run by performance.py; other scripts
use its networks and recipe.

  peers.py versions
  peers.py train --engine torch_nchw|torch_nhwc --model resnet18 --batch 16
  peers.py infer --engine torch_nchw|torch_nhwc|onnxruntime|openvino --model resnet18 --batch 1
  peers.py export --model resnet18 --classes 2 --onnx FILE
  peers.py predict --onnx FILE --photo FILE

Weights are random and images lie in memory, as in `striate bench`. A training step is zero_grad, forward, cross-entropy,
backward, SGD with momentum 0.9 and weight decay 1e-4; in bf16 PyTorch runs under autocast. images_per_second is batch / median
step, after two steps.
Needs torch, torchvision, timm (mobilenet_v1), onnx, onnxruntime, openvino, numpy, pillow.
"""
import argparse
import json
import math
import os
import statistics
import tempfile
import time


def lenet5(nn, classes):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten(),
        nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, classes),
    )


def resnet20(nn, classes):
    """He et al. 2015, section 4.2, shortcuts A."""

    class Block(nn.Module):
        def __init__(self, c_in, c_out, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(),
                nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out),
            )
            self.more = (c_out - c_in) // 2
            self.stride = stride

        def forward(self, x):
            y = self.body(x)
            if self.stride > 1:
                x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
            return nn.functional.relu(y + x)

    layers, c = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for stage in (16, 32, 64):
        for block in range(3):
            layers.append(Block(c, stage, 2 if block == 0 and stage > 16 else 1))
            c = stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def build(name, classes):
    """A network with random weights, and its input's channels, height and width."""
    from torch import nn

    if name == "lenet5":
        return lenet5(nn, classes), (1, 32, 32)
    if name == "resnet20":
        return resnet20(nn, classes), (3, 32, 32)
    if name == "mobilenet_v1":
        import timm

        return timm.create_model("mobilenetv1_100", num_classes=classes), (3, 224, 224)
    import torchvision

    more = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    return getattr(torchvision.models, name)(weights=None, num_classes=classes, **more), (3, 224, 224)


def initialise(model):
    """As Striate does: He's normal rule by the inputs, biases 0."""
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def nesterov(model, lr, weight_decay):
    """SGD with Nesterov momentum 0.9; biases and normalisation do not decay."""
    import torch

    spared = [p for p in model.parameters() if p.dim() < 2]
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True)


def one_cycle(lr, step, steps):
    """The learning rate of a step of Striate's one cycle: up to lr over three tenths, down to almost nothing."""
    cosine = lambda start, end, t: end + (start - end) * (1 + math.cos(math.pi * t)) / 2
    t = min(step / (max(steps, 2) - 1), 1.0)
    return lr * (cosine(1 / 25, 1.0, t / 0.3) if t < 0.3 else cosine(1.0, 1 / 25e4, (t - 0.3) / 0.7))


def export(model, images, path):
    import torch

    torch.onnx.export(model.eval(), (images,), path, dynamo=False, opset_version=17)


def onnxruntime_session(path, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def steps(step, seconds):
    """The seconds of each step, after two."""
    step()
    step()
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    return times


def training(a, model, images):
    import torch

    labels = torch.arange(a.batch) * 7 % a.classes
    optimiser = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-4)
    model.train()

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimiser.step()

    return step


def inference(a, model, images):
    import torch

    model.eval()
    if a.engine.startswith("torch"):

        def step():
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bf16"):
                model(images)

        return step
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        export(model, images, path)
        if a.engine == "onnxruntime":
            session = onnxruntime_session(path, a.threads)
            feed = {session.get_inputs()[0].name: images.numpy()}
            return lambda: session.run(None, feed)
        import openvino

        hints = {
            "INFERENCE_PRECISION_HINT": a.precision,
            "INFERENCE_NUM_THREADS": a.threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        request = openvino.Core().compile_model(path, "CPU", hints).create_infer_request()
        return lambda: request.infer({0: images.numpy()})


def measure(a):
    import resource

    import torch

    torch.set_num_threads(a.threads)
    model, (c, h, w) = build(a.model, a.classes)
    images = torch.rand(a.batch, c, h, w) * 2 - 1
    if a.engine == "torch_nhwc":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    step = training(a, model, images) if a.verb == "train" else inference(a, model, images)
    times = steps(step, a.seconds)
    median = statistics.median(times)
    # Kilobytes on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"engine": a.engine, "steps": len(times), "ms": 1e3 * median, "images_per_second": a.batch / median,
            "peak_rss_mb": peak}


def predict(a):
    """From nothing to a printed prediction, as a short script would."""
    import numpy
    from PIL import Image

    session = onnxruntime_session(a.onnx, a.threads)
    picture = Image.open(a.photo).convert("RGB")
    scale = 252 / min(picture.size)
    picture = picture.resize((max(252, int(picture.width * scale)), max(252, int(picture.height * scale))), Image.BILINEAR)
    left, top = (picture.width - 224) // 2, (picture.height - 224) // 2
    picture = picture.crop((left, top, left + 224, top + 224))
    x = (numpy.asarray(picture, dtype=numpy.float32) / 255 - 0.5) / 0.25
    x = numpy.ascontiguousarray(x.transpose(2, 0, 1)[None])
    logits = session.run(None, {session.get_inputs()[0].name: x})[0][0]
    odds = numpy.exp(logits - logits.max())
    return {"class": int(logits.argmax()), "probability": float(odds.max() / odds.sum())}


def versions():
    import importlib.metadata
    import platform

    found = {"Python": platform.python_version()}
    for title, package in (("PyTorch", "torch"), ("ONNX Runtime", "onnxruntime"), ("OpenVINO", "openvino")):
        try:
            found[title] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[title] = None
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("verb", choices=["versions", "train", "infer", "export", "predict"])
    p.add_argument("--engine", choices=["torch_nchw", "torch_nhwc", "onnxruntime", "openvino"], default="torch_nhwc")
    p.add_argument("--model", default="resnet18")
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--classes", type=int, default=1000)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--seconds", type=float, default=6)
    p.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="bf16: PyTorch's autocast, OpenVINO's hint")
    p.add_argument("--onnx")
    p.add_argument("--photo")
    a = p.parse_args()
    if a.verb == "versions":
        answer = versions()
    elif a.verb == "predict":
        answer = predict(a)
    elif a.verb == "export":
        import torch

        model, shape = build(a.model, a.classes)
        export(model, torch.rand(1, *shape), a.onnx)
        answer = {"onnx": a.onnx}
    else:
        answer = measure(a)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
