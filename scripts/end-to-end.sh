#!/usr/bin/env bash
# A short run of the program as a user would: train on the built-in digits, evaluate, predict, summarise, measure.
# Usage: end-to-end.sh PATH_OF_STRIATE
set -euo pipefail
striate="$(realpath "$1")"
fixtures="$(realpath "$(dirname "$0")/../crates/striate/tests/fixtures")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "end-to-end: $1" >&2; exit 1; }
# The first number of this name: those of the whole come before those of parts.
field() { [[ "$2" =~ \"$1\":([0-9.]+) ]] && echo "${BASH_REMATCH[1]}"; }
at_least() { awk -v a="$2" -v b="$3" 'BEGIN { exit !(a >= b) }' || fail "$1 is $2, below $3"; }

trained="$("$striate" train digits --json | tail -1)"
at_least "accuracy on the held-out digits" "$(field accuracy "$trained")" 0.975
model=runs/train/lenet5/weights/best.safetensors
[ -s "$model" ] && [ -s runs/train/lenet5/config.toml ] || fail "the run's files are missing"

for file in report.html MODEL_CARD.md confusion.csv predictions.csv; do
    [ -s "runs/train/lenet5/$file" ] || fail "the run has no $file"
done
"$striate" runs --json | grep -q '"state":"finished"' || fail "the run is not listed as finished"

scored="$("$striate" eval "$model" digits --json | tail -1)"
[ "$(field accuracy "$scored")" = "$(field accuracy "$trained")" ] || fail "eval and train disagree: $scored $trained"

# Handwritten digits as pictures from elsewhere: 200 pixels wide, dark on white, with margins.
right=0
for digit in "$fixtures"/hand_*.png; do
    class="$(sed 's/.*hand_\([0-9]\).png/\1/' <<<"$digit")"
    if "$striate" predict "$model" "$digit" --top 1 --json | grep -q "\"class\":\"$class\""; then right=$((right + 1)); fi
done
at_least "number of ten handwritten digits read" "$right" 9

"$striate" summary "$model" --json | grep -q '"parameters":61706' || fail "the model does not have 61,706 parameters"
"$striate" bench infer --model resnet20 --seconds 0 --json | grep -q images_per_second || fail "bench prints no speed"
# The published networks: their sizes, a drawing, and a comparison by the formulas.
[ "$("$striate" models --json | wc -l)" -ge 46 ] || fail "networks are missing"
"$striate" summary vgg16 --json | grep -q '"parameters":138357544' || fail "VGG-16 does not have its parameters"
"$striate" summary googlenet --svg googlenet.svg && grep -q '</svg>' googlenet.svg || fail "GoogLeNet is not drawn"
"$striate" cost stacks --json | grep -q '"ratio":0.72' || fail "two 3×3 do not cost 18 of 25"
"$striate" cost compare lenet5 resnet20 --imgsz 32 --measure --seconds 0 >/dev/null || fail "costs are not measured"

# Looking inside, hand-made features, and weights on their way out and in again.
digit="$fixtures/hand_3.png"
"$striate" explain gradcam "$model" "$digit" --out why >/dev/null
[ -s why/explain.json ] && compgen -G "why/*.png" >/dev/null || fail "nothing is explained"
classical="$("$striate" train digits --model hog+svm --out classical --json | tail -1)"
at_least "accuracy of HOG with a linear SVM on the held-out digits" "$(field accuracy "$classical")" 0.93
"$striate" export "$model" --format onnx --verify 8 -o lenet5.onnx >/dev/null
"$striate" import lenet5.onnx -o again.safetensors >/dev/null
"$striate" predict again.safetensors "$digit" --top 1 --json | grep -q "\"class\":\"3\"" || fail "what came back from ONNX does not read a 3"
"$striate" cortex experiment simple --json | grep -q '"f1_f0"' || fail "the simple cell is silent"
echo "end-to-end: all is well"
