#!/usr/bin/env bash
# PYTHON=python3 scripts/golden/onnx_lfw.sh MODEL.onnx MEAN STD LFW [PAIRS PROTOCOL]
#
# Scores LFW's View 2 (LFW/pairs.txt, images in LFW/images) with an ONNX model, here and in onnxruntime, from the same pixels, and compares the embeddings,
# at unit length, the pairs' scores, and every protocol's accuracy, AUC and EER. Fails if one of these differs by more than 1e-4.
# PAIRS is another list in LFW, such as pairsDevTest.txt, which has no folds: PROTOCOL opensphere wants none.
# Needs a Python with onnxruntime, numpy and Pillow.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON-python3}
model=$(realpath "$1") mean=$2 std=$3 lfw=$(realpath "$4") pairs=${5-pairs.txt} protocol=${6-all}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$root" && CGO_ENABLED=0 go build -o "$work/" ./cmd/fv-eval)
cd "$work"
mkdir ort
"$python" "$root/scripts/golden/onnx_lfw.py" "$model" "$mean" "$std" "$lfw/images" "$lfw/$pairs" ort
for flip in none sum concat; do
	./fv-eval embed "$model" ort/images --mean "$mean" --std "$std" --flip $flip --raw --out ours_$flip.npy >/dev/null 2>&1
	for who in ort/$flip.npy ours_$flip.npy; do
		name=$(basename $who .npy)
		./fv-eval verify --embeddings $who --pairs "$lfw/$pairs" --protocol "$protocol" --bootstrap 0 --out "eval_$name" --json >"$name.json" 2>/dev/null
	done
done
"$python" - <<'PY'
import csv, json, sys
import numpy as np


def scores(name):
    with open(f"eval_{name}/scores.csv") as f:
        return np.array([float(row["score"]) for row in csv.DictReader(f)])


unit = lambda v: v / np.linalg.norm(v, axis=1, keepdims=True)
worst = 0
print("| embedding | quantity | fv-eval | onnxruntime |\n|---|---|---|---|")
for flip in ("none", "sum", "concat"):
    d = np.abs(unit(np.load(f"ours_{flip}.npy")) - unit(np.load(f"ort/{flip}.npy"))).max()
    s = np.abs(scores(f"ours_{flip}") - scores(flip))
    worst = max(worst, d, s.max())
    a, b = (json.load(open(f)) for f in (f"ours_{flip}.json", f"{flip}.json"))
    rows = [("AUC", a["auc"], b["auc"]), ("EER", a["eer"]["value"], b["eer"]["value"])]
    rows += [("accuracy, " + p["protocol"], p["mean"], q["mean"]) for p, q in zip(a["protocols"], b["protocols"])]
    for name, x, y in rows:
        worst = max(worst, abs(x - y))
        print(f"| {flip} | {name} | {x:.5f} | {y:.5f} |")
    print(f"| {flip} | largest difference of a number of a unit-length embedding | {d:.2g} | |")
    print(f"| {flip} | largest difference of a score, {len(s)} pairs | {s.max():.2g} | |")
sys.exit(f"differs by {worst:.2g}" if not worst <= 1e-4 else 0)
PY
