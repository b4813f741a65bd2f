#!/usr/bin/env bash
# PYTHON=python3 scripts/golden/onnx_export.sh
#
# Trains each backbone for two steps on drawn faces, exports it in several forms, and has onnx.checker and onnxruntime
# accept each file and agree with fv-eval's embeddings to 1e-5 (1e-2 with weights in half precision).
# Needs a Python with onnx, onnxruntime, numpy and Pillow.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD
python=${PYTHON-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/" ./cmd/fv-train ./cmd/fv-eval
cd "$work"
"$python" -c 'import onnx, onnxruntime, numpy; print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__, "numpy", numpy.__version__)'
./fv-train demo --quick --out demo >/dev/null
"$python" - demo/faces/train faces <<'PY' # of the input's size, without loss
import pathlib, sys
from PIL import Image
src, dst = map(pathlib.Path, sys.argv[1:])
for f in sorted(src.rglob("*.*"))[:16]:
    out = dst / f.relative_to(src).with_suffix(".png")
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.open(f).convert("RGB").resize((112, 112)).save(out)
PY
names=$( (./fv-train summary --backbone '?' 2>&1 || true) | sed -n 's/.*want one of //p' | tr -d ',')
for name in ${BACKBONES-$names}; do
	./fv-train --backbone "$name" --max-steps 2 --batch 4 --min-images 1 --val none --out run --force faces >/dev/null
	./fv-eval embed run faces --out faces.npy --flip none --raw >/dev/null
	./fv-train export run --onnx plain.onnx --count 4 >/dev/null
	"$python" "$here/scripts/golden/onnx_export.py" plain.onnx faces.npy faces
	./fv-train export run --onnx folded.onnx --fold-bn --normalize --opset 13 --count 4 >/dev/null
	"$python" "$here/scripts/golden/onnx_export.py" folded.onnx faces.npy faces
	./fv-train export run --onnx half.onnx --fp16 --normalize --opset 21 --count 4 >/dev/null
	"$python" "$here/scripts/golden/onnx_export.py" half.onnx faces.npy faces 1e-2
	echo "$name: ok"
done
