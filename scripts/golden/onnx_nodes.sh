#!/usr/bin/env bash
# PYTHON=python3 scripts/golden/onnx_nodes.sh
#
# Runs all of ONNX's backend node tests of the operators that are supported, and prints a table of how many pass, as layers and as constants, and
# how many are of something that is not supported; with -v after it, why each of those is not. Writes the small ones
# anew to embed/onnx/testdata/nodes.json.gz, which go test runs. Needs a Python with onnx and numpy.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
FV_ONNX_OPERATORS=$work/operators go test ./embed/onnx -run TestListOperators -count 1 >/dev/null
"$python" scripts/golden/onnx_nodes.py "$work/operators" embed/onnx/testdata/nodes.json.gz 1200 >/dev/null
"$python" scripts/golden/onnx_nodes.py "$work/operators" "$work/nodes.json.gz"
echo '| operator | pass as layers | pass as constants | do not apply |'
echo '|---|---|---|---|'
FV_ONNX_NODES=$work/nodes.json.gz go test ./embed/onnx -run TestNodes -count 1 -v |
	if [ "${1-}" = -v ]; then cat; else sed -n 's/^.*_test.go:[0-9]*: \(|.*\)/\1/p; s/^.*_test.go:[0-9]*: \(onnx .*\)/\1/p; /differs\|^--- FAIL/p'; fi
