#!/usr/bin/env bash
# scripts/check.sh [--full]
#
# The checks beside `go test ./...`: formatting, vet, staticcheck, generated
# assembly, the generic kernels (tag purego), ranks of MPI (tag mpi), builds without cgo and for other
# systems, short fuzzing. --full adds every cross-build, the race detector and
# longer fuzzing.
set -euo pipefail
cd "$(dirname "$0")/.."

full=false
case "${1-}" in
"") ;;
--full) full=true ;;
*) echo "usage: scripts/check.sh [--full]" >&2; exit 2 ;;
esac

step() { printf '== %s\n' "$*"; }

step gofmt
unformatted=$(git ls-files '*.go' | xargs gofmt -l)
[ -z "$unformatted" ] || { echo "gofmt would change:" "$unformatted" >&2; exit 1; }

step go vet
go vet ./...

step staticcheck
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

step generated assembly is what the generators write
scripts/generate.sh --check

step generic kernels
# The lecture's pictures need no kernels but to train the networks of one chapter, which plain Go takes long for.
go test -tags purego ./internal/... $(go list ./losses/... | grep -v /lecture) ./embed/...

step ranks of MPI
CGO_ENABLED=0 go vet -tags mpi ./internal/mpi/... ./pipeline ./cmd/...
if command -v mpirun.openmpi >/dev/null || command -v mpirun.mpich >/dev/null; then
	CGO_ENABLED=0 go test -tags mpi -run MPI ./internal/mpi ./cmd/...
else
	echo "   neither mpirun.openmpi nor mpirun.mpich is there: not started (packages openmpi-bin, mpich)"
fi

step builds without cgo, and for other systems
targets="windows/amd64 darwin/arm64"
if $full; then targets="linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64"; fi
CGO_ENABLED=0 go build ./...
for t in $targets; do
	echo "   $t"
	CGO_ENABLED=0 GOOS=${t%/*} GOARCH=${t#*/} go build ./...
done

# Counted in runs, not seconds: when the time of -fuzztime is up in the middle of
# an input, go test now and then reports that as a failure of the target.
runs=10000x
if $full; then runs=300000x; fi
step "fuzzing, $runs each"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
git grep -l '^func Fuzz' -- '*_test.go' | while read -r file; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file" | while read -r target; do
		echo "   ${file%/*} $target"
		go test "./${file%/*}" -run '^$' -fuzz "^$target\$" -fuzztime "$runs" -fuzzminimizetime 1x >"$log" 2>&1 || { cat "$log"; exit 1; }
	done
done

if $full; then
	step race detector
	CGO_ENABLED=1 go test -race ./...
fi
echo "all checks passed"
