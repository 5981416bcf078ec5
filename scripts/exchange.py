#!/usr/bin/env python3
"""Networks of other libraries through `striate import` and back through `striate export`: do all give the same logits?

  exchange.py torch [NAME…]         torchvision's and timm's, random weights: state_dicts in and out
  exchange.py onnx [NAME…]          the same as ONNX files of PyTorch's two exporters, in
  exchange.py keras [NAME…]         Keras's applications, random weights, as .h5 and .keras, in
  exchange.py file FILE.onnx        any ONNX file of one input and one output, in
  exchange.py mobilenet FILE.h5 PHOTO…   Keras's MobileNetV1 0.25 on photos: top-5 image by image; the first three digits of a
                                    photo's name are its class

Every line says how far logits are apart, in units of the largest; above 1e-4 the script fails. What Striate computes is read
from its ONNX export, which `export --verify 1 --verify-with onnxruntime` has compared with Striate itself.
--striate names the program (default: striate). Needs numpy, onnxruntime and, each for its part, torch, torchvision, timm, onnx,
safetensors, keras, pillow. The Python that runs this runs ONNX Runtime for `--verify-with` too.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

ALLOWED = 1e-4
TORCHVISION = ["alexnet", "vgg11", "vgg16_bn", "googlenet", "resnet18", "resnet34", "resnet50", "resnet101"]
TIMM = ["resnet18", "mobilenetv1_100"]
KERAS = ["MobileNet", "ResNet50", "VGG16"]
failed = False


def striate(*words):
    environment = os.environ | {"STRIATE_PYTHON": sys.executable}
    run = subprocess.run([options.striate, *map(str, words)], capture_output=True, text=True, env=environment)
    if run.returncode:
        sys.exit(f"{' '.join(map(str, words))}: {run.stderr}{run.stdout}")
    return json.loads(run.stdout.splitlines()[-1])


def run_onnx(path, x):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def say(what, found, expected, note=""):
    global failed
    apart = float(np.abs(found - expected).max() / np.abs(expected).max())
    failed |= not apart <= ALLOWED
    print(f"{what:44} {apart:8.1e} {'' if apart <= ALLOWED else 'APART '}{note}", flush=True)


def imported(folder, path, *words):
    """Imports a file, and exports what came of it: the report and the ONNX file."""
    model, out = folder / "in.safetensors", folder / "in.onnx"
    for f in (model, out):
        f.unlink(missing_ok=True)
    report = striate("import", path, "-o", model, "--json", *words)
    striate("export", model, "--format", "onnx", "-o", out, "--verify", 1, "--verify-with", "onnxruntime", "--json")
    return report, model, out


def torch_networks(names):
    import timm
    import torch
    import torchvision
    of = [(f"torchvision/{n}", lambda n=n: getattr(torchvision.models, n)(
        **({"init_weights": True, "aux_logits": True, "transform_input": True} if n == "googlenet" else {}))) for n in TORCHVISION]
    of += [(f"timm/{n}", lambda n=n: timm.create_model(n)) for n in TIMM]
    for name, make in of:
        if names and name not in names and name.split("/")[1] not in names:
            continue
        torch.manual_seed(0)
        net = make().eval()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.8, 1.2)
        yield name, net, torch.randn(1, 3, 224, 224)


def through_state_dicts(folder, names):
    import torch
    from safetensors.torch import save_file
    for name, net, x in torch_networks(names):
        # The pretrained GoogLeNet changes its input's scale itself, which here is preprocessing.
        if hasattr(net, "transform_input"):
            net.transform_input = False
        with torch.no_grad():
            expected = net(x).numpy()
        torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}, "epoch": 1}, folder / "w.pth")
        torch.save(net.state_dict(), folder / "old.pth", _use_new_zipfile_serialization=False)
        save_file(net.state_dict(), folder / "w.safetensors")
        for file in ("w.pth", "old.pth", "w.safetensors"):
            report, model, out = imported(folder, folder / file)
            say(f"{name} {file}", run_onnx(out, x.numpy()), expected, f"{report['architecture']} by {report['by']}")
        back = folder / "back.pth"
        back.unlink(missing_ok=True)
        library = name.split("/")[0]
        striate("export", model, "--format", "torch-state-dict", "--names", library, "-o", back, "--verify", 1, "--json")
        state = torch.load(back, weights_only=True)
        missing, unexpected = net.load_state_dict(state, strict=False)
        assert not unexpected and all("num_batches_tracked" in m or m.startswith("aux") for m in missing), (missing, unexpected)
        with torch.no_grad():
            say(f"{name} back into PyTorch", net(x).numpy(), expected)


def through_onnx(folder, names):
    import torch
    for name, net, x in torch_networks(names):
        with torch.no_grad():
            expected = net(x).numpy()
        for dynamo in (False, True):
            file = folder / "net.onnx"
            try:
                more = {} if dynamo else {"opset_version": 13}
                torch.onnx.export(net, (x,), str(file), dynamo=dynamo, **more)
            except Exception as why:
                print(f"{name}: PyTorch does not export it with dynamo={dynamo}: {why}")
                continue
            _, _, out = imported(folder, file)
            say(f"{name} dynamo={dynamo}", run_onnx(out, x.numpy()), expected)


def through_keras(folder, names):
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    for name in names or KERAS:
        keras.utils.set_random_seed(1)
        net = getattr(keras.applications, name)(weights=None, classifier_activation=None)
        rng = np.random.default_rng(1)
        net.set_weights([w + 0.05 * rng.random(w.shape, dtype=np.float32) if w.ndim == 1 else w for w in net.get_weights()])
        x = rng.normal(size=(1, 224, 224, 3)).astype(np.float32)
        expected = np.array(net.predict(x, verbose=0))
        net.save(folder / "net.h5")
        net.save(folder / "net.keras")
        for file in ("net.h5", "net.keras"):
            report, _, out = imported(folder, folder / file, *(["--model", options.model] if options.model else []))
            # Where Keras takes blue, green, red, the import takes red, green, blue.
            turned = any("red, green, blue" in r for r in report["remarks"])
            y = run_onnx(out, np.ascontiguousarray((x[..., ::-1] if turned else x).transpose(0, 3, 1, 2)))
            say(f"keras/{name} {file}", y, expected, f"{report['architecture']} by {report['by']}")


def through_file(folder, path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    sides = [n if isinstance(n, int) and n > 0 else 1 for n in given.shape]
    x = np.random.default_rng(0).random(sides, dtype=np.float32)
    expected = session.run(None, {given.name: x})[0]
    report, _, out = imported(folder, pathlib.Path(path))
    if sides[3] <= 4:
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    if expected.ndim == 4 and expected.shape[3] > expected.shape[1]:
        expected = expected.transpose(0, 3, 1, 2)
    y = run_onnx(out, x)
    if any("softmax" in remark for remark in report["remarks"]):
        y = np.exp(y - y.max()) / np.exp(y - y.max()).sum()
    say(f"{pathlib.Path(path).name} {sides}", y.reshape(-1), expected.reshape(-1))


def mobilenet(folder, path, photos):
    """Keras on pixels that are cut to size here, so that both see the same; then what `predict` makes of the photos itself."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    from PIL import Image
    net = keras.applications.MobileNet(alpha=0.25, weights=path, classifier_activation=None)
    model, exact, cut = folder / "m.safetensors", folder / "exact.safetensors", folder / "cut"
    striate("import", path, "-o", model, "--json")
    # Pictures of the input's size then stay as they are.
    data = model.read_bytes()
    exact.write_bytes(data.replace(b'resize_to\\":256', b'resize_to\\":224'))
    assert exact.read_bytes() != data
    cut.mkdir()
    theirs = {}
    for photo in photos:
        image = Image.open(photo).convert("RGB")
        s = 256 / min(image.size)
        image = image.resize((round(image.width * s), round(image.height * s)), Image.BILINEAR)
        left, top = (image.width - 224) // 2, (image.height - 224) // 2
        image = image.crop((left, top, left + 224, top + 224))
        name = pathlib.Path(photo).stem + ".png"
        image.save(cut / name)
        y = np.array(net.predict(np.asarray(image, np.float32)[None] / 127.5 - 1, verbose=0))[0]
        theirs[name] = np.argsort(-y)[:5].tolist()

    def predicted(model, files):
        run = subprocess.run([options.striate, "predict", model, *map(str, files), "--top", "5", "--json"], capture_output=True,
                             text=True, check=True)
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        return {pathlib.Path(l["file"]).name: [p["index"] for p in l["predictions"]] for l in lines}

    def score(what, found):
        n, first = len(found), sum(int(f[:3]) == p[0] for f, p in found.items())
        five = sum(int(f[:3]) in p for f, p in found.items())
        print(f"{what}: top-1 {first} of {n} ({first / n:.1%}), top-5 {five} ({five / n:.1%})")

    ours = predicted(exact, sorted(cut.iterdir()))
    same = sum(ours[name] == t for name, t in theirs.items())
    for name in [n for n, t in theirs.items() if ours[n] != t]:
        print(f"{name}: {ours[name]} here, {theirs[name]} in Keras")
    print(f"{same} of {len(theirs)} photos have Keras's top-5 in its order")
    score("Keras", theirs)
    score("predict on the same pixels", ours)
    score("predict on the photos", predicted(model, photos))
    global failed
    failed |= same != len(theirs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--striate", default="striate")
    parser.add_argument("--model", help="keras: the zoo's name, where names do not tell it")
    parser.add_argument("what", choices=["torch", "onnx", "keras", "file", "mobilenet"])
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        match options.what:
            case "torch":
                through_state_dicts(folder, options.names)
            case "onnx":
                through_onnx(folder, options.names)
            case "keras":
                through_keras(folder, options.names)
            case "file":
                through_file(folder, options.names[0])
            case _:
                mobilenet(folder, options.names[0], options.names[1:])
    sys.exit(failed)
