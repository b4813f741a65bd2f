package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/dataset/recpack/rectest"
	"github.com/faceverify/fv/pipeline/synth"
)

// synth DIR PEOPLE IMAGES SIZE draws faces.
func drawFaces(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: synth DIR PEOPLE IMAGES SIZE")
	}
	var n [3]int
	for i := range n {
		var err error
		n[i], err = strconv.Atoi(args[1+i])
		ts.Check(err)
	}
	ts.Check(synth.Write(context.Background(), ts.MkAbs(args[0]), synth.Options{Identities: n[0], Images: n[1], Size: n[2], Seed: 1}))
}

// pack DIR FILE.rec packs a folder of faces, with an index beside it.
func packFaces(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pack DIR FILE.rec")
	}
	set, err := dataset.Open(ts.MkAbs(args[0]), dataset.Options{})
	ts.Check(err)
	people := make([][][]byte, len(set.Identities))
	for i, s := range set.Samples {
		data, err := os.ReadFile(set.File(i))
		ts.Check(err)
		people[s.Identity] = append(people[s.Identity], data)
	}
	rec, idx := rectest.Pack(people)
	file := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(file), 0o755))
	ts.Check(os.WriteFile(file, rec, 0o644))
	ts.Check(os.WriteFile(file[:len(file)-len(".rec")]+".idx", []byte(idx), 0o644))
}
