package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faceverify/fv/embed"
)

// checkWhole fails unless each file of a run folder that has a real name is whole, but for the log's last line.
func checkWhole(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch {
		case e.Name() == LogFile:
			lines := bytes.SplitAfter(text, []byte("\n"))
			for _, line := range lines[:len(lines)-1] {
				if !json.Valid(line) {
					t.Errorf("%s: line %q", path, line)
				}
			}
		case e.Name() == ConfigFile:
			c := Default()
			err = c.DecodeConfig(path, text)
		case e.Name() == ReportFile:
			if !bytes.Contains(text, []byte("</html>")) {
				t.Errorf("%s is cut", path)
			}
		case e.Name() == ImagesFile:
			_, err = readImages(dir)
		case filepath.Base(filepath.Dir(path)) == checkpointsDir:
			_, err = readCheckpoint(path)
		case strings.HasSuffix(e.Name(), ".safetensors"):
			_, err = embed.Load(path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
