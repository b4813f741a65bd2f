package eval

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// readCFP reads the protocol of CFP (Celebrities in Frontal-Profile, S. Sengupta et al., WACV 2016)
// from a folder Split/FF or Split/FP: its sub-folders are the folds, each with same.txt and diff.txt,
// lines "i,j" of numbers in Pair_list_F.txt, where the second is of Pair_list_P.txt for FP. Those
// lists, "number path" a line, lie one or two folders above. An image is named by its path below Images.
func readCFP(dir string) (*Pairs, error) {
	dir = filepath.Clean(dir)
	second := ""
	switch strings.ToUpper(filepath.Base(dir)) {
	case "FF":
		second = "Pair_list_F.txt"
	case "FP":
		second = "Pair_list_P.txt"
	default:
		return nil, fmt.Errorf("%s is a folder; a pairs file is wanted, or CFP's folder Split/FF or Split/FP", dir)
	}
	first, err := readCFPList(dir, "Pair_list_F.txt")
	if err != nil {
		return nil, err
	}
	others := first
	if second != "Pair_list_F.txt" {
		if others, err = readCFPList(dir, second); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, err
	}
	pairs := &Pairs{Name: dir, Identities: map[string]string{}}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		for _, same := range []bool{true, false} {
			file := filepath.Join(dir, e.Name(), "diff.txt")
			if same {
				file = filepath.Join(dir, e.Name(), "same.txt")
			}
			if err := pairs.addCFP(file, same, first, others); err != nil {
				return nil, err
			}
		}
		pairs.Folds++
	}
	if pairs.Folds == 0 {
		return nil, fmt.Errorf("%s: no folds; want the folders 01, 02 ... each with same.txt and diff.txt", dir)
	}
	return pairs, nil
}

// readCFPList returns the images of a list by their numbers.
func readCFPList(split, name string) (map[int]string, error) {
	up := filepath.Dir(split)
	file := filepath.Join(filepath.Dir(up), name)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		file = filepath.Join(up, name)
	}
	images := map[int]string{}
	err := eachLine(file, func(line int, text string) error {
		number, image, ok := strings.Cut(text, " ")
		n, err := strconv.Atoi(number)
		if !ok || err != nil {
			return fmt.Errorf("%s:%d: %q: want a number and a path", file, line, text)
		}
		image = imagePath(image)
		if i := strings.LastIndex(image, "Images/"); i >= 0 {
			image = image[i+len("Images/"):]
		}
		images[n] = image
		return nil
	})
	return images, err
}

func (p *Pairs) addCFP(file string, same bool, first, second map[int]string) error {
	return eachLine(file, func(line int, text string) error {
		a, b, ok := strings.Cut(text, ",")
		i, err1 := strconv.Atoi(strings.TrimSpace(a))
		j, err2 := strconv.Atoi(strings.TrimSpace(b))
		if !ok || err1 != nil || err2 != nil {
			return fmt.Errorf("%s:%d: %q: want \"i,j\", two numbers of images", file, line, text)
		}
		pair := Pair{A: first[i], B: second[j], Same: same, Fold: p.Folds, Line: line}
		for _, image := range []string{pair.A, pair.B} {
			if image == "" {
				return fmt.Errorf("%s:%d: %q: the list of images has no such number", file, line, text)
			}
			p.Identities[image], _, _ = strings.Cut(path.Clean(image), "/")
		}
		p.Pairs = append(p.Pairs, pair)
		return nil
	})
}

// eachLine calls each with the lines of a file that are not blank.
func eachLine(file string, each func(line int, text string) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	scan := bufio.NewScanner(f)
	for line := 1; scan.Scan(); line++ {
		text := strings.Join(slices.Collect(strings.FieldsSeq(strings.TrimPrefix(scan.Text(), "\ufeff"))), " ")
		if text == "" {
			continue
		}
		if err := each(line, text); err != nil {
			return err
		}
	}
	if err := scan.Err(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
