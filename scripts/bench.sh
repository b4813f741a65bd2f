#!/usr/bin/env bash
# scripts/bench.sh [ROUNDS [NET ...]]
#
# Times a training step of this program against PyTorch's default mode (fp32,
# eager), in turn, on this machine: batch 64, 112x112, 10 575 classes,
# AM-Softmax, 2 threads. Prints one line of Markdown a net, for BENCHMARKS.md: medians over
# the rounds, their spread, and the ratio.
#
# PEERS       folder with torch_train.py (default ../shared/peers)
# PEER_PYTHON a Python that has torch (default python3)
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-3}
[ $# -gt 0 ] && shift
nets=${*:-mobilefacenet sfnet20}
peers=$(cd "${PEERS:-../shared/peers}" && pwd)
python=${PEER_PYTHON:-python3}
"$python" -c 'import torch' || { echo "bench: $python has no torch; set PEER_PYTHON" >&2; exit 1; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/fv-train" ./cmd/fv-train

rate() { sed -n 's/.*"img_s": *\([0-9.]*\).*/\1/p'; }
# median min max of the numbers in a file
spread() { sort -n "$1" | awk '{a[NR]=$1} END {m = NR%2 ? a[(NR+1)/2] : (a[NR/2]+a[NR/2+1])/2; printf "%.1f (%.1f-%.1f)", m, a[1], a[NR]}'; }

cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1)
printf '| machine | net | fv-train bench, img/s | PyTorch fp32 eager, img/s | ratio |\n|---|---|---|---|---|\n'
for net in $nets; do
	for _ in $(seq "$rounds"); do
		"$tmp/fv-train" bench --backbone "$net" --batch 64 --threads 2 --classes 10575 --json | rate >>"$tmp/$net.ours"
		(cd "$peers" && PYTHONDONTWRITEBYTECODE=1 T=2 "$python" torch_train.py "$net" fp32 64) | rate >>"$tmp/$net.theirs"
	done
	printf '| %s, %s cores | %s | %s | %s | %s |\n' "$cpu" "$(nproc)" "$net" "$(spread "$tmp/$net.ours")" "$(spread "$tmp/$net.theirs")" \
		"$(awk -v a="$(spread "$tmp/$net.ours")" -v b="$(spread "$tmp/$net.theirs")" 'BEGIN {printf "%.2f", a/b}')"
done
