#!/usr/bin/env bash
# scripts/bench-allpairs-million.sh [N [DIM [PROBES]]]
#
# Times fv-eval allpairs on N embeddings of DIM values (1 000 000 x 512): all of their pairs, which takes
# the better part of an hour on two cores, or each with each of PROBES more, which has the same matrix in
# memory and the same loops. Prints one line of Markdown for BENCHMARKS.md: seconds for a billion pairs, on
# the clock and of processors (which a busy machine changes less), the share of the processor's peak of float32
# multiply-adds, and memory.
#
# PEER_PYTHON a Python that has numpy, which makes the embeddings (default python3)
# BENCH_TMP   folder for them: 4 bytes a value (default: that of mktemp)
set -euo pipefail
cd "$(dirname "$0")/.."

n=${1:-1000000}
dim=${2:-512}
probes=${3:-0}
python=${PEER_PYTHON:-python3}

tmp=$(mktemp -d ${BENCH_TMP:+-p "$BENCH_TMP"})
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp" ./cmd/fv-eval ./cmd/fv-train

# Two and a half images a person, as in bench-allpairs.sh, some at a time.
"$python" - "$n" "$dim" "$probes" "$tmp" <<'PY'
import sys
import numpy as np
n, dim, probes = map(int, sys.argv[1:4])
r = np.random.default_rng(0)
people = max(2, int(n / 2.5))
centres = r.standard_normal((people, dim), dtype=np.float32)
for name, rows in (("gallery", n), ("probes", probes)):
    if rows == 0:
        continue
    out = np.lib.format.open_memmap(f"{sys.argv[4]}/{name}.npy", "w+", np.float32, (rows, dim))
    who = r.integers(0, people, rows)
    for i in range(0, rows, 10000):
        x = centres[who[i:i + 10000]] + 2 * r.standard_normal((min(10000, rows - i), dim), dtype=np.float32)
        out[i:i + 10000] = x / np.linalg.norm(x, axis=1, keepdims=True)
    out.flush()
    with open(f"{sys.argv[4]}/{name}.names.csv", "w") as f:
        f.write("identity,name\n")
        f.writelines(f"p{k},{name}{i}\n" for i, k in enumerate(who))
PY

files=("$tmp/gallery.npy")
((probes)) && files+=("$tmp/probes.npy")
"$python" - "$tmp" "${files[@]}" <<'PY'
import json, resource, subprocess, sys
run = lambda *a: json.loads(subprocess.run(a, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout)
r = run(sys.argv[1] + "/fv-eval", "allpairs", *sys.argv[2:], "--json")
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu_s = used.ru_utime + used.ru_stime
peak = run(sys.argv[1] + "/fv-train", "bench", "--inference", "--backbone", "mobilefacenet", "--batch", "1", "--json")["peak_gflops"]
cpu = next(l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name"))
what = f"{r['n']} x {r['dim']}" + (f", against {r['probes']} more" if r["probes"] else "")
print("| processor | threads | embeddings | pairs | s | s for a billion pairs | processor s for a billion pairs | share of peak | MB |\n|---|---|---|---|---|---|---|---|---|")
print(f"| {cpu} | {r['threads']} | {what} | {r['pairs']:.4g} | {r['seconds']:.1f} | {r['seconds'] / r['pairs'] * 1e9:.2f} | {cpu_s / r['pairs'] * 1e9:.2f} | {100 * r['gflops'] / peak:.0f} % of {peak:.0f} GFLOP/s | {used.ru_maxrss / 1024:.0f} |")
print(f"AUC {r['auc']} ± {r['auc_error']:.1g}")
PY
