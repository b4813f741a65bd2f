package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/embed/onnx"
	"github.com/faceverify/fv/pipeline/dataset/recpack/rectest"
	"github.com/faceverify/fv/pipeline/synth"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fv-eval": main})
}

// Scripts find in $FACES four people, ann to dan, of three drawn pictures each, named as LFW names them;
// in $TAR and $TAR.tgz archives of these, in $REC a pack of InsightFace's with labels 0 to 3; in $IDX two grey images with the labels 9 and 4; in $PACK a pack of two genuine and two impostor pairs of
// them; in $RUN a run folder with an untrained model and a threshold, in $PLAIN one without a
// threshold; in $ONNX an ONNX file of the model that says how images become its input, in $BARE one that does not; in $CIRCLE and $SPHERE models whose embeddings have 2 and 3 numbers.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	faces, run, plain := filepath.Join(dir, "faces"), filepath.Join(dir, "run"), filepath.Join(dir, "plain")
	drawFaces(t, faces)
	pack := filepath.Join(dir, "faces.bin")
	writePack(t, pack, faces)
	saveModel(t, run, &embed.Threshold{Cosine: 0.5, FAR: 0.01, FalseAccepts: 2, Impostor: 200, TrueAccepts: 90, Genuine: 100})
	saveModel(t, plain, nil)
	circle, sphere := filepath.Join(dir, "circle"), filepath.Join(dir, "sphere")
	saveModelOf(t, circle, 2, nil)
	saveModelOf(t, sphere, 3, nil)
	archive := filepath.Join(dir, "faces.tar")
	writeTar(t, archive, faces)
	records := filepath.Join(dir, "faces.rec")
	writeRec(t, records, faces)
	digits := writeIDX(t, dir)
	onnxFile, bare := filepath.Join(dir, "model.onnx"), filepath.Join(dir, "bare.onnx")
	exportModel(t, run, onnxFile, bare)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("FACES", faces)
			e.Setenv("PACK", pack)
			e.Setenv("TAR", archive)
			e.Setenv("REC", records)
			e.Setenv("IDX", digits)
			e.Setenv("RUN", run)
			e.Setenv("PLAIN", plain)
			e.Setenv("ONNX", onnxFile)
			e.Setenv("BARE", bare)
			e.Setenv("CIRCLE", circle)
			e.Setenv("SPHERE", sphere)
			return nil
		},
	})
}

func drawFaces(t *testing.T, dir string) {
	for identity, name := range []string{"ann", "bob", "cleo", "dan"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for index := range 3 {
			f, err := os.Create(filepath.Join(dir, name, fmt.Sprintf("%s_%04d.jpg", name, index+1)))
			if err != nil {
				t.Fatal(err)
			}
			if err := jpeg.Encode(f, synth.Face(5, identity, index, 40), nil); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// writePack writes pairs ann 1 2, bob 1 2, ann 1 bob 1, bob 2 ann 2 as Python 2 pickled them.
func writePack(t *testing.T, path, faces string) {
	b := []byte("\x80\x02](")
	for _, name := range []string{"ann_0001", "ann_0002", "bob_0001", "bob_0002", "ann_0001", "bob_0001", "bob_0002", "ann_0002"} {
		img, err := os.ReadFile(filepath.Join(faces, name[:3], name+".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		b = append(binary.LittleEndian.AppendUint32(append(b, 'T'), uint32(len(img))), img...)
	}
	b = append(b, "e](\x88\x88\x89\x89e\x86."...)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// exportModel writes the model of a run as an ONNX file, with and without metadata.
func exportModel(t *testing.T, run, path, bare string) {
	m, err := embed.Load(run)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.EncodeONNX(embed.ONNXExport{})
	if err != nil {
		t.Fatal(err)
	}
	without, err := onnx.Encode(m.Network, m.Theta, m.Buffers, onnx.ExportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{path: b, bare: without} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// writeTar writes the folder of faces, with a file that is no image, as an archive and as one compressed by gzip.
func writeTar(t *testing.T, path, faces string) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(faces)); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteHeader(&tar.Header{Name: "ann/readme.txt", Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	zip := gzip.NewWriter(&z)
	zip.Write(b.Bytes()) // a buffer takes everything
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{path: b.Bytes(), path + ".tgz": z.Bytes()} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// writeRec writes the faces as InsightFace packs them: a record that says where images end, then the images.
func writeRec(t *testing.T, path, faces string) {
	files, err := filepath.Glob(filepath.Join(faces, "*", "*.jpg"))
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	end := float32(len(files) + 1)
	b := rectest.Append(nil, 2, 0, []float32{end, end}, nil)
	for i, file := range files {
		img, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b = rectest.Append(b, 0, float32(i/3), nil, img)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeIDX writes two grey images as MNIST has them, and returns the file of images.
func writeIDX(t *testing.T, dir string) string {
	images := filepath.Join(dir, "images-idx3-ubyte")
	for file, text := range map[string]string{
		images:                                  "\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x03" + "\x00\x20\x40\x60\x80\xa0" + "\xf0\xd0\xb0\x90\x70\x50",
		filepath.Join(dir, "labels-idx1-ubyte"): "\x00\x00\x08\x01\x00\x00\x00\x02\x09\x04",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return images
}

func saveModel(t *testing.T, dir string, threshold *embed.Threshold) {
	saveModelOf(t, dir, 8, threshold)
}

func saveModelOf(t *testing.T, dir string, dim int, threshold *embed.Threshold) {
	network, err := embed.Backbone("sfnet4", embed.BackboneOptions{Embedding: dim, Height: 32, Width: 16})
	if err != nil {
		t.Fatal(err)
	}
	m := embed.NewModel(network, embed.DefaultContract(32, 16), 1)
	m.Head = embed.HeadInfo{Name: "amsoftmax", Settings: map[string]float64{"margin": 0.35, "scale": 30}}
	m.Threshold = threshold
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(filepath.Join(dir, embed.ModelFile)); err != nil {
		t.Fatal(err)
	}
}
