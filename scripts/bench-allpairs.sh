#!/usr/bin/env bash
# scripts/bench-allpairs.sh [ROUNDS [N IDENTITIES DIM]]
#
# Times fv-eval allpairs against numpy + scikit-learn (PEERS/sk_allpairs.py) in turn, on this
# machine and on the same embeddings. Prints one line of Markdown for BENCHMARKS.md: medians over the
# rounds with their spread, the ratio of times and of memory. Times are from the matrix in memory to
# the numbers, on both sides; "whole" is the whole process with reading the file.
#
# PEERS       folder with sk_allpairs.py (default ../shared/peers)
# PEER_PYTHON a Python that has numpy and scikit-learn (default python3)
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-3}
n=${2:-13233}
identities=${3:-5749}
dim=${4:-512}
peers=$(cd "${PEERS:-../shared/peers}" && pwd)
python=${PEER_PYTHON:-python3}
"$python" -c 'import sklearn' || { echo "bench-allpairs: $python has no scikit-learn; set PEER_PYTHON" >&2; exit 1; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/fv-eval" ./cmd/fv-eval

# The embeddings that sk_allpairs.py makes.
"$python" - "$n" "$identities" "$dim" "$tmp/e" <<'PY'
import sys, numpy as np
N, I, D = map(int, sys.argv[1:4]); r = np.random.default_rng(0)
c = r.standard_normal((I, D)).astype('f4'); y = r.integers(0, I, N); x = c[y] + 2*r.standard_normal((N, D)).astype('f4'); x /= np.linalg.norm(x, axis=1, keepdims=True)
np.save(sys.argv[4] + '.npy', x)
with open(sys.argv[4] + '.names.csv', 'w') as f:
    f.write('identity,name\n' + ''.join(f'p{k},{i}\n' for i, k in enumerate(y)))
PY

# measured NAME COMMAND...: runs the command, and appends wall seconds and peak MB to NAME.wall and NAME.mb
measured() {
	"$python" - "$tmp/$1" "${@:2}" <<'PY'
import resource, subprocess, sys, time
t = time.perf_counter()
out = subprocess.run(sys.argv[2:], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
open(sys.argv[1] + '.wall', 'a').write(f'{time.perf_counter() - t:.3f}\n')
open(sys.argv[1] + '.mb', 'a').write(f'{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f}\n')
print(out)
PY
}
field() { sed -n "s/.*\"$1\": *\([0-9.e-]*\).*/\1/p"; }
# median (min-max) of the numbers in a file
spread() { sort -g "$1" | awk '{a[NR]=$1} END {m = NR%2 ? a[(NR+1)/2] : (a[NR/2]+a[NR/2+1])/2; printf "%.4g (%.4g-%.4g)", m, a[1], a[NR]}'; }
ratio() { awk -v a="$(spread "$1")" -v b="$(spread "$2")" 'BEGIN {printf "%.1f", a/b}'; }

for _ in $(seq "$rounds"); do
	measured ours "$tmp/fv-eval" allpairs "$tmp/e.npy" --json >"$tmp/out"
	field seconds <"$tmp/out" >>"$tmp/ours.s"
	ours=$(field auc <"$tmp/out")
	PYTHONDONTWRITEBYTECODE=1 measured theirs "$python" "$peers/sk_allpairs.py" "$n" "$identities" "$dim" >"$tmp/out"
	field total_s <"$tmp/out" >>"$tmp/theirs.s"
	theirs=$(field auc <"$tmp/out")
done
cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1)
printf '| processor | embeddings | fv-eval allpairs, s | whole, s | MB | scikit-learn, s | MB | times faster | memory |\n|---|---|---|---|---|---|---|---|---|\n'
printf '| %s, %s cores | %s x %s, %s identities | %s | %s | %s | %s | %s | %s | 1/%s |\n' "$cpu" "$(nproc)" "$n" "$dim" "$identities" \
	"$(spread "$tmp/ours.s")" "$(spread "$tmp/ours.wall")" "$(spread "$tmp/ours.mb")" "$(spread "$tmp/theirs.s")" "$(spread "$tmp/theirs.mb")" \
	"$(ratio "$tmp/theirs.s" "$tmp/ours.s")" "$(ratio "$tmp/theirs.mb" "$tmp/ours.mb")"
echo "AUC: fv-eval $ours, scikit-learn $theirs"
