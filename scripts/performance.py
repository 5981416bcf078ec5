#!/usr/bin/env python3
"""Measures Striate on this machine and writes docs/PERFORMANCE.md.

  scripts/performance.sh                                  Striate alone
  scripts/performance.sh --peers PYTHON                   against the engines that this Python has (see scripts/peers.py)
  scripts/performance.sh --only lenet5 --seconds 1 --rounds 1 --out try.md
  scripts/performance.sh --peers PYTHON --precision bf16 --out docs/PERFORMANCE-BF16.md

In a round every engine runs once, one after the other. Whatever else runs on the machine, or beside it where it is a part of
a larger one, only ever slows: two threads, for one, may be put on one core. So Striate's peak is probed before and after each
measurement, and rounds go on, up to a limit, until every engine was measured twice while all threads had what they have at
best; what is shown is the fastest round. Ratios within rounds are shown beside. Leave the machine alone meanwhile. All of it,
with four peers and the defaults, takes two to three hours; Striate alone, half an hour.
"""
import argparse
import datetime
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)

# Network, images a training step, and options that make it the network which the peers have.
NETWORKS = [
    ("alexnet", 16, []),
    ("vgg16", 8, []),
    ("googlenet", 16, ["--no-heads"]),
    ("resnet18", 16, []),
    ("resnet50", 16, []),
    ("mobilenet_v1", 16, []),
    ("resnet20", 128, ["--classes", "10"]),
    ("lenet5", 128, ["--classes", "10"]),
]
INFERENCE = [1, 16]
TRAINING_PEERS = ["torch_nchw", "torch_nhwc"]
# PyTorch was never the fastest at predicting, and takes the longest to start.
INFERENCE_PEERS = {"f32": ["onnxruntime", "openvino"], "bf16": ["openvino"]}
TITLES = {
    "torch_nchw": "PyTorch, channels first", "torch_nhwc": "PyTorch, channels last",
    "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO",
}
# What keeps the engines from more than AVX2. ONNX Runtime has no such switch.
AVX2 = {
    "STRIATE_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command, env=None):
    """The command's last line, which is JSON; None, with a word on stderr, if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})})
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        say(f"failed: {shlex.join(command)}\n{done.stderr.strip()[-600:]}")
        return None
    return json.loads(lines[-1])


def first_line(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return None


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def machine(threads):
    """What there is to say of the machine, as rows."""
    cpu, memory = read("/proc/cpuinfo"), read("/proc/meminfo")
    field = lambda text, name: next(iter(re.findall(rf"^{name}\s*:\s*(.+)$", text, re.M)), None)
    flags = (field(cpu, "flags") or field(cpu, "Features") or "").split()
    wanted = ["sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni",
              "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "asimd", "sve"]
    caches = []
    for i in range(4):
        at = f"/sys/devices/system/cpu/cpu0/cache/index{i}/"
        level, kind, size = (read(at + name).strip() for name in ("level", "type", "size"))
        if size and kind != "Instruction":
            caches.append(f"L{level} {size}")
    total = field(memory, "MemTotal")
    os_name = next(iter(re.findall(r'^PRETTY_NAME="?([^"\n]+)', read("/etc/os-release"), re.M)), platform.system())
    return [
        ("Processor", field(cpu, "model name") or platform.processor() or platform.machine()),
        ("Cores", f"{os.cpu_count()} seen by the system, {threads} threads used"),
        ("Instruction sets", " ".join(f for f in wanted if f in flags) or "not told"),
        ("Caches of a core", ", ".join(caches) or "not told"),
        ("Memory", f"{int(total.split()[0]) / 1e6:.1f} GB" if total else "not told"),
        ("System", f"{os_name}, {platform.system()} {platform.release()}"),
    ]


def striate_command(a, mode, model, batch, extra):
    return [a.striate, "bench", mode, "--model", model, "--batch", str(batch), "--threads", str(a.threads),
            "--seconds", f"{a.seconds:g}", "--precision", a.precision, *extra, "--json"]


def peer_command(a, engine, mode, model, batch, extra):
    extra = [word for word in extra if word != "--no-heads"]
    return [a.peers, os.path.join(HERE, "peers.py"), mode, "--engine", engine, "--model", model, "--batch", str(batch),
            "--threads", str(a.threads), "--seconds", f"{a.seconds:g}", "--precision", a.precision, *extra]


def measure(a, mode, model, batch, extra, env):
    """Every engine's results, a list of rounds each."""
    commands = {"striate": striate_command(a, mode, model, batch, extra)}
    if a.peers:
        for engine in TRAINING_PEERS if mode == "train" else INFERENCE_PEERS[a.precision]:
            commands[engine] = peer_command(a, engine, mode, model, batch, extra)
    results = {engine: [] for engine in commands}
    before = probe(a, env)
    for turn in range(a.most_rounds):
        order = list(commands) if turn % 2 == 0 else list(reversed(commands))
        for engine in order:
            result, after = run(commands[engine], env), probe(a, env)
            if result:
                result["undisturbed"] = min(before, after) > 0.9 * PEAKS[env["STRIATE_ISA"]]
            results[engine].append(result)
            before = after
        if turn + 1 >= a.rounds and all(is_settled(rounds) for rounds in results.values()):
            break
    return results


# The highest peak that was probed, by instruction set.
PEAKS = {}


def probe(a, env):
    """GFLOP/s that the threads have now, all at once."""
    found = run([a.striate, "bench", "infer", "--model", "lenet5", "--seconds", "0", "--profile", "--threads", str(a.threads),
                 "--json"], env)
    peak = found["peak_gflops"] if found else 0.0
    PEAKS[env["STRIATE_ISA"]] = max(peak, PEAKS.get(env["STRIATE_ISA"], 0.0))
    return peak


def is_settled(rounds):
    """Whether more rounds would tell more; of an engine that fails they would not."""
    return None in rounds or sum(r["undisturbed"] for r in rounds) >= 2


def fastest(rounds):
    return max((r for r in rounds if r), key=lambda r: r["images_per_second"], default=None)


def of_fastest(rounds, key):
    best = fastest(rounds)
    return best and best[key]


def figure(value, text=None):
    if value is None:
        return "failed"
    return text or (f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}")


def ratio(results):
    """Striate's speed by that of the fastest peer, of their fastest rounds."""
    theirs = [of_fastest(rounds, "images_per_second") for engine, rounds in results.items() if engine != "striate"]
    ours, theirs = of_fastest(results["striate"], "images_per_second"), [speed for speed in theirs if speed]
    return f"{ours / max(theirs):.2f}" if ours and theirs else "–"


def ratios(results):
    """The same within each round: the median, the least and the largest, and how many rounds."""
    found = []
    for turn, ours in enumerate(results["striate"]):
        theirs = [r[turn]["images_per_second"] for e, r in results.items() if e != "striate" and r[turn]]
        if ours and theirs:
            found.append(ours["images_per_second"] / max(theirs))
    if not found:
        return "–"
    return f"{statistics.median(found):.2f} ({min(found):.2f}–{max(found):.2f}; {len(found)})"


def row(a, model, batch, results):
    cells = [model, batch]
    ours = results["striate"]
    cells += [figure(of_fastest(ours, key)) for key in ("ms", "images_per_second", "peak_rss_mb")]
    if a.peers:
        peers = [e for e in results if e != "striate"]
        cells += [figure(of_fastest(results[e], "images_per_second")) for e in peers]
        best = max(peers, key=lambda e: of_fastest(results[e], "images_per_second") or 0)
        cells += [figure(of_fastest(results[best], "peak_rss_mb")), ratio(results), ratios(results)]
    return "| " + " | ".join(str(c) for c in cells) + " |"


def table(a, mode, env, networks):
    head = ["network", "batch", "ms a step", "images/s", "MB"]
    if a.peers:
        head += [TITLES[e] for e in (TRAINING_PEERS if mode == "train" else INFERENCE_PEERS[a.precision])]
        head += ["MB of the best", "ratio to the best", "within rounds"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for model, training_batch, extra in networks:
        # Without auxiliary classifiers is what predicting is anyway.
        extra = extra if mode == "train" else [word for word in extra if word != "--no-heads"]
        for batch in [training_batch] if mode == "train" else INFERENCE:
            lines.append(row(a, model, batch, measure(a, mode, model, batch, extra, env)))
            say(lines[-1])
    return lines


def some_pictures(folder):
    """Two classes of four small pictures, to get a model file from."""
    for label, low in (("dark", 0), ("bright", 128)):
        os.makedirs(os.path.join(folder, label))
        for i in range(4):
            pixels = bytes(low + (31 * i + 7 * j) % 128 for j in range(3 * 64 * 64))
            with open(os.path.join(folder, label, f"{i}.ppm"), "wb") as file:
                file.write(b"P6\n64 64\n255\n" + pixels)


def start_to_prediction(a):
    """Seconds from the start of a process to the end of one that has printed ResNet-18's prediction for a photograph."""
    with tempfile.TemporaryDirectory() as folder:
        data, runs = os.path.join(folder, "data"), os.path.join(folder, "runs")
        some_pictures(data)
        train = [a.striate, "train", data, "--model", "resnet18", "--epochs", "1", "--batch", "4", "--imgsz", "224",
                 "--out", runs, "--json"]
        trained = run(train)
        if not trained:
            return ["The model could not be made."]
        model = os.path.join(runs, "resnet18", "weights", "best.safetensors")
        commands = {"Striate": [a.striate, "predict", model, a.photo, "--threads", str(a.threads), "--json"]}
        if a.peers:
            onnx, peers = os.path.join(folder, "resnet18.onnx"), os.path.join(HERE, "peers.py")
            run([a.peers, peers, "export", "--model", "resnet18", "--classes", "2", "--onnx", onnx])
            commands["Python with ONNX Runtime"] = [a.peers, peers, "predict", "--onnx", onnx, "--photo", a.photo,
                                                    "--threads", str(a.threads)]
        seconds = {name: [] for name in commands}
        # The first of each reads its files from the disk and does not count.
        for turn in range(2 * a.rounds + 2):
            for name, command in commands.items():
                begun = time.perf_counter()
                answer = run(command)
                if answer and turn > 0:
                    seconds[name].append(time.perf_counter() - begun)
    lines = ["| | seconds, median | least | largest |", "|---|---:|---:|---:|"]
    for name, all_of_it in seconds.items():
        if all_of_it:
            lines.append(f"| {name} | {statistics.median(all_of_it):.3f} | {min(all_of_it):.3f} | {max(all_of_it):.3f} |")
        else:
            lines.append(f"| {name} | failed | | |")
    if a.peers and all(seconds.values()):
        ours, theirs = seconds.values()
        ratios = [o / t for o, t in zip(ours, theirs)]
        lines += ["", f"Striate takes {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f}) of Python's time."]
    say("\n".join(lines))
    return lines


def versions(a):
    commit = first_line(["git", "describe", "--always", "--dirty"])
    found = {"Striate": f"{first_line([a.striate, '--version'])}, commit {commit}", "Rust": first_line(["rustc", "--version"])}
    if a.peers:
        found.update(run([a.peers, os.path.join(HERE, "peers.py"), "versions"]) or {})
    return [(name, version or "not there") for name, version in found.items()]


def pairs(rows):
    return ["| | |", "|---|---|"] + [f"| {name} | {value} |" for name, value in rows]


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--peers", metavar="PYTHON", default=os.environ.get("STRIATE_PEERS"),
                   help="a Python with torch, torchvision, timm, onnx, onnxruntime, openvino [env: STRIATE_PEERS]")
    p.add_argument("--seconds", type=float, default=6, help="of each measurement [6]")
    p.add_argument("--rounds", type=int, default=3, help="in which every engine is measured once, at least [3]")
    p.add_argument("--most-rounds", type=int, help="where others disturb [three times --rounds]")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
                   else os.cpu_count(), help="[all cores]")
    p.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="[f32]")
    p.add_argument("--only", metavar="NAMES", help="some of the networks, with commas between")
    p.add_argument("--sets", choices=["both", "best", "avx2"], default="both", help="instruction sets [both]")
    p.add_argument("--photo", default=os.path.join(ROOT, "crates/data/tests/fixtures/photo.jpg"),
                   help="the JPEG of the first prediction [a fixture]")
    p.add_argument("--striate", metavar="PATH", help="a program that is built already")
    p.add_argument("--out", default=os.path.join(ROOT, "docs/PERFORMANCE.md"), help="[docs/PERFORMANCE.md]")
    a = p.parse_args()
    a.networks = [n for n in NETWORKS if not a.only or n[0] in a.only.split(",")]
    known = [n[0] for n in NETWORKS]
    unknown = [name for name in (a.only or "").split(",") if name and name not in known]
    if unknown:
        p.error(f"--only: there is no {', '.join(unknown)}; there are {', '.join(known)}")
    if a.rounds < 1 or not a.seconds >= 0:
        p.error("--rounds must be at least 1, --seconds 0 or more")
    a.most_rounds = max(a.rounds, 3 * a.rounds if a.most_rounds is None else a.most_rounds)
    if not os.path.isfile(a.photo):
        p.error(f"--photo: {a.photo} is no file")
    return a


def main():
    a = options()
    if not a.striate:
        subprocess.run(["cargo", "build", "--release", "--locked", "--package", "striate"], cwd=ROOT, check=True)
        target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
        a.striate = os.path.join(target, "release", "striate")
    best = run([a.striate, "bench", "infer", "--model", "lenet5", "--seconds", "0", "--profile", "--threads",
                str(a.threads), "--json"], {"STRIATE_ISA": ""})
    if not best:
        sys.exit("the program does not run")
    sets = [(best["isa"], {"STRIATE_ISA": ""})]
    if best["isa"] == "avx512":
        sets = {"both": [*sets, ("avx2", AVX2)], "best": sets, "avx2": [("avx2", AVX2)]}[a.sets]
    command = "scripts/performance.sh" + (" --peers PYTHON" if a.peers else "") + f" --rounds {a.rounds}"
    command += f" --seconds {a.seconds:g}" + (f" --only {a.only}" if a.only else "") + (f" --sets {a.sets}" if a.sets != "both" else "")
    command += f" --precision {a.precision}" if a.precision != "f32" else ""
    shown = argparse.Namespace(**{**vars(a), "striate": "striate", "peers": "PYTHON"})
    lines = [
        f"# Performance in {a.precision}",
        "",
        f"Made by `{command}` on {datetime.date.today().isoformat()}; run it to make it anew. Other machines differ.",
        "",
        "## The machine",
        "",
        *pairs([*machine(a.threads), ("Peak", f"{best['peak_gflops']:.0f} GFLOP/s in f32, {best['isa']}, all threads")]),
        "",
        *pairs(versions(a)),
        "",
        "## What is measured",
        "",
        f"All in {a.precision} with {a.threads} threads. Weights are random and images lie in memory: the figures are the engines'. "
        "A training step is forward, cross-entropy, backward and SGD with momentum and weight decay. Speed is the batch by "
        f"the median step of {a.seconds:g} seconds, after two steps. MB is the most memory that the process had.",
        "",
        f"The fastest round is shown, since whatever disturbs only slows: {a.rounds} rounds, and up to {a.most_rounds} until "
        "every engine was measured twice between two probes of the peak that found all threads as fast as ever.",
    ]
    if a.peers:
        lines += [
            "",
            "The engines take turns in each round. A ratio is Striate's images a second by those of the fastest peer; above 1, "
            "Striate is faster. Within rounds: the median of the ratios of engines in the same round, and in brackets the least, "
            "the largest, and how many rounds there were.",
        ]
    for isa, env in sets:
        lines += ["", f"## Instruction set {isa}"]
        if env is AVX2:
            held = " ".join(f"{k}={v}" for k, v in AVX2.items())
            note = "; ONNX Runtime has no such switch and keeps all that the machine has" if a.peers else ""
            lines += ["", f"With `{held}`{note}."]
        for mode, title in (("infer", "Inference"), ("train", "Training")):
            say(f"{title}, {isa}")
            lines += ["", f"### {title}", "", *table(a, mode, env, a.networks)]
    if a.precision == "f32":
        lines += [
            "",
            "## Start to first prediction",
            "",
            "From the start of a process to its end, with a ResNet-18 prediction (two classes) of a JPEG printed on the way; files "
            "are in the system's cache, runs alternate.",
            "",
            *start_to_prediction(a),
        ]
    lines += [
        "",
        "## Commands",
        "",
        "```sh",
        *(shlex.join(striate_command(shown, mode, "MODEL", "BATCH", [])) for mode in ("infer", "train")),
        *(shlex.join([model, *extra]) + "    # options of this network" for model, _, extra in a.networks if extra),
        *(["striate predict MODEL.safetensors PHOTO.jpg"] if a.precision == "f32" else []),
    ]
    if a.peers:
        peers = os.path.join("scripts", "peers.py")
        engines = {"infer": INFERENCE_PEERS[a.precision], "train": TRAINING_PEERS}
        words = f"--model MODEL --batch BATCH --seconds {a.seconds:g} --precision {a.precision}"
        lines += [f"PYTHON {peers} {mode} --engine {'|'.join(names)} {words}" for mode, names in engines.items()]
    lines += ["```", ""]
    part = a.out + ".part"
    with open(part, "w") as file:
        file.write("\n".join(lines))
    os.replace(part, a.out)
    say(f"wrote {a.out}")


if __name__ == "__main__":
    main()
