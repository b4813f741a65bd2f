#!/usr/bin/env bash
# PYTHON=python3 scripts/golden/onnx_finetune.sh MODEL.onnx MEAN STD LFW
#
# Fine-tunes an ONNX model on the people of LFW's View 1 (LFW/peopleDevTrain.txt, images in LFW/images), verifies the pairs of pairsDevTest.txt before and
# after, exports the result, and has onnxruntime score the same pairs with the exported file (onnx_lfw.sh).
# STEPS=100 says for how many batches of 64 images. Needs a Python with onnxruntime, numpy and Pillow.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
model=$(realpath "$1") mean=$2 std=$3 lfw=$(realpath "$4")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$here" && CGO_ENABLED=0 go build -o "$work/" ./cmd/fv-train ./cmd/fv-eval)
cd "$work"
verify() { ./fv-eval verify "$@" --images "$lfw/images" --pairs "$lfw/pairsDevTest.txt" --flip none --protocol opensphere; }
verify "$model" --mean "$mean" --std "$std" --out before
./fv-train --init "$model" --mean "$mean" --std "$std" --head arcface --head-init means --lr-backbone 0.1x --lr 0.01 \
	--epochs 3 --max-steps "${STEPS-100}" --people "$lfw/peopleDevTrain.txt" --min-images 4 --val none --out tuned "$lfw/images" >train.log
verify tuned --out after
./fv-train export tuned --onnx tuned.onnx
"$here/scripts/golden/onnx_lfw.sh" tuned.onnx "$mean" "$std" "$lfw" pairsDevTest.txt opensphere
