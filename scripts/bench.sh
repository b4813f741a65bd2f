#!/usr/bin/env bash
# scripts/bench.sh train|inference|losses|onnx [ROUNDS [NET|FILE ...]]
#
# Times this program and its peers in turn on this machine, on 2 threads at
# 112x112, and writes this processor's rows of BENCHMARKS.md anew: medians over the rounds, their
# spread, and ratios.
#
#   train      a step (forward, backward, optimiser) at batch 64, 10 575 classes, AM-Softmax, in fp32 and
#              bf16, against PyTorch with torch.compile in the same precision; and the largest memory of each process
#   inference  batches of 1 and 64, in fp32 and bf16, against OpenVINO (at batch 64 the better of one batch at a time
#              and of two asynchronous streams) and, in fp32, onnxruntime
#   losses     a head alone (AM-Softmax, fp32, batch 64, embeddings of 512 numbers), from the loss to the gradients,
#              over 10 575 classes, and over a tenth of 1 000 000 (Partial FC) with the step of SGD, against
#              scripts/torch_head.py, eager and compiled
#   onnx       FILE.onnx ... in fp32, batches of 1 and 64, against onnxruntime; a batch that the file fixes is opened for it
#
# ROUNDS is 3, the nets are mobilefacenet sfnet20 iresnet18 iresnet50, if not given; losses takes none.
#
# PEERS        folder with torch_train.py and ort_infer.py (default ../shared/peers)
# PEER_PYTHON  a Python that has torch, onnxruntime and openvino (default python3)
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2s/^# /usage: /p' "$0" >&2; exit 2; }
what=${1-}
case "$what" in train|inference|losses|onnx) shift ;; *) usage ;; esac
rounds=${1:-3}
[ $# -gt 0 ] && shift
[ "$what" != losses ] || [ $# = 0 ] || usage
[ "$what" != onnx ] || [ $# -gt 0 ] || usage
nets=${*:-mobilefacenet sfnet20 iresnet18 iresnet50}
[ "$what" = losses ] && peers=$PWD/scripts || peers=$(cd "${PEERS:-../shared/peers}" && pwd)
python=${PEER_PYTHON:-python3}
"$python" -c 'import torch' || { echo "bench: $python has no torch; set PEER_PYTHON" >&2; exit 1; }
[ "$what" != inference ] || "$python" -c 'import openvino, onnxruntime' || { echo "bench: $python has no openvino or no onnxruntime; set PEER_PYTHON" >&2; exit 1; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/fv-train" ./cmd/fv-train
export PYTHONDONTWRITEBYTECODE=1 T=2 TMPDIR="$tmp"
# These hold numpy and torch back to kernels of older processors, where they are set.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE

# field NAME reads JSON and prints the number of that name.
field() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p"; }
# spread FILE prints median (least-most) of its numbers, or the only one; median FILE the median alone.
spread() { sort -n "$1" | awk '{a[NR]=$1} END {m = NR%2 ? a[(NR+1)/2] : (a[NR/2]+a[NR/2+1])/2; printf "%.1f", m; if (NR > 1) printf " (%.1f-%.1f)", a[1], a[NR]}'; }
median() { spread "$1" | sed 's/ .*//'; }
ratio() { awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN {printf "%.2f", a/b}'; }
peer() { (cd "$peers" && "$python" "$@" 2>"$tmp/peer.err") || { cat "$tmp/peer.err" >&2; return 1; }; }
# Keep the better of each pair of numbers.
better() { paste "$1" "$2" | awk '{print ($1 > $2 ? $1 : $2)}' >"$3"; }

processor="$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1), family $(sed -n 's/^cpu family[^:]*: *//p' /proc/cpuinfo | head -1) model $(sed -n 's/^model\t*: *//p' /proc/cpuinfo | head -1), $(nproc) cores"

# row TABLE KEY REST puts a line into the table after the marker bench:TABLE in BENCHMARKS.md, in the place of one
# with the same processor and key.
row() {
	local line="| $processor | $2 | $3 |"
	echo "$line"
	awk -v marker="<!-- bench:$1 -->" -v key="| $processor | $2 |" -v line="$line" '
		index($0, marker) { inside = 1 }
		inside && index($0, key) == 1 { if (!done) print line; done = 1; next }
		inside && seen && $0 !~ /^\|/ { if (!done) print line; done = 1; inside = 0 }
		inside && /^\|/ { seen = 1 }
		{ print }
		END { if (inside && !done) print line }
	' BENCHMARKS.md >"$tmp/new.md"
	cat "$tmp/new.md" >BENCHMARKS.md
}

train() { # NET PRECISION
	local net=$1 precision=$2 f="$tmp/$1.$2"
	for _ in $(seq "$rounds"); do
		"$tmp/fv-train" bench --backbone "$net" --precision "$precision" --batch 64 --threads 2 --classes 10575 --json >"$f.json"
		field img_s <"$f.json" >>"$f.ours"
		field peak_rss_mb <"$f.json" >>"$f.memory"
		field share_of_peak <"$f.json" >>"$f.share"
		peer torch_train.py "$net" "${precision}comp" 64 >"$f.json"
		field img_s <"$f.json" >>"$f.theirs"
		field rss_mb <"$f.json" >>"$f.theirmemory"
	done
	row train "$net | $precision" "$(spread "$f.ours") | $(spread "$f.theirs") | $(ratio "$f.ours" "$f.theirs") | $(median "$f.memory") | $(median "$f.theirmemory") | $(ratio "$f.memory" "$f.theirmemory") | $(sort -n "$f.share" | awk '{a[NR]=$1} END {printf "%.0f %%", 100*a[int((NR+1)/2)]}')"
}

inference() { # NET PRECISION BATCH
	local net=$1 precision=$2 batch=$3 f="$tmp/$1.$2.$3" hint=f32 ort=—
	[ "$precision" = fp32 ] || hint=bf16
	local steps=8
	[ "$batch" -gt 1 ] || steps=150
	for _ in $(seq "$rounds"); do
		"$tmp/fv-train" bench --inference --backbone "$net" --precision "$precision" --batch "$batch" --threads 2 --steps "$steps" --json | field img_s >>"$f.ours"
		OVP=$hint peer ort_infer.py "$net" "$batch" ov | field img_s >>"$f.latency"
		if [ "$batch" -gt 1 ]; then
			OVP=$hint peer ort_infer.py "$net" 16 ov tput | field img_s >>"$f.streams"
		fi
		[ "$precision" != fp32 ] || peer ort_infer.py "$net" "$batch" | field img_s >>"$f.ort"
	done
	if [ "$batch" -gt 1 ]; then better "$f.latency" "$f.streams" "$f.theirs"; else cp "$f.latency" "$f.theirs"; fi
	[ "$precision" != fp32 ] || ort=$(spread "$f.ort")
	row inference "$net | $precision | $batch" "$(spread "$f.ours") | $(spread "$f.theirs") | $(ratio "$f.ours" "$f.theirs") | $ort"
}

losses() { # CLASSES SHARE STEPS
	local f="$tmp/$1"
	for _ in $(seq "$rounds"); do
		"$tmp/fv-train" bench --head-only --classes "$1" --sample-classes "$2" --batch 64 --threads 2 --steps "$3" --json >"$f.json"
		field step_ms <"$f.json" >>"$f.ours"
		field peak_rss_mb <"$f.json" >>"$f.memory"
		for mode in eager compiled; do
			peer torch_head.py "$mode" "$1" 64 "$2" "$3" >"$f.json"
			field step_ms <"$f.json" >>"$f.$mode"
		done
		field rss_mb <"$f.json" >>"$f.theirmemory"
	done
	row losses "$1 | $2" "$(spread "$f.ours") | $(spread "$f.eager") | $(ratio "$f.eager" "$f.ours") | $(spread "$f.compiled") | $(ratio "$f.compiled" "$f.ours") | $(median "$f.memory") | $(median "$f.theirmemory")"
}

onnx() { # FILE
	local name file f="$tmp/file"
	name=$(basename "$1" .onnx) file=$tmp/open.onnx
	"$python" - "$1" "$file" <<-'EOF'
		import sys, onnx
		from onnx import numpy_helper
		m = onnx.load(sys.argv[1])
		for v in list(m.graph.input) + list(m.graph.output):
		    v.type.tensor_type.shape.dim[0].dim_param = 'n'
		shapes = {n.input[1] for n in m.graph.node if n.op_type == 'Reshape'}
		def open_batch(t):
		    a = numpy_helper.to_array(t).copy()
		    if a.size > 1 and a[0] == 1 and (a > 0).all():
		        a[0] = -1
		        t.CopyFrom(numpy_helper.from_array(a, t.name))
		for t in m.graph.initializer:
		    if t.name in shapes: open_batch(t)
		for n in m.graph.node:
		    if n.op_type == 'Constant' and n.output[0] in shapes: open_batch(n.attribute[0].t)
		onnx.save(m, sys.argv[2])
	EOF
	for batch in 1 64; do
		local steps=8
		[ "$batch" -gt 1 ] || steps=150
		rm -f "$f".*
		for _ in $(seq "$rounds"); do
			"$tmp/fv-train" bench --model "$1" --batch "$batch" --threads 2 --steps "$steps" --json | field img_s >>"$f.ours"
			peer ort_infer.py "$file" "$batch" | field img_s >>"$f.theirs"
		done
		row onnx "$name | $batch" "$(spread "$f.ours") | $(spread "$f.theirs") | $(ratio "$f.ours" "$f.theirs")"
	done
}

if [ "$what" = onnx ]; then
	for file in $nets; do onnx "$(realpath "$file")"; done
	exit
fi
if [ "$what" = losses ]; then
	losses 10575 1 60
	losses 1000000 0.1 10
	exit
fi

precisions="fp32 bf16"
if ! "$tmp/fv-train" bench --head-only --classes 2 --steps 1 --precision bf16 >/dev/null 2>&1; then
	echo "bench: no kernels for bf16 on this processor: fp32 alone" >&2
	precisions=fp32
fi
for net in $nets; do
	for precision in $precisions; do
		if [ "$what" = train ]; then
			train "$net" "$precision"
		else
			for batch in 1 64; do inference "$net" "$precision" "$batch"; done
		fi
	done
done
