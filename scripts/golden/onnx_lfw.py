"""Embeds the images of LFW's View 2 with onnxruntime, for scripts/golden/onnx_lfw.sh.

    python scripts/golden/onnx_lfw.py MODEL.onnx MEAN STD IMAGES PAIRS OUT

Writes the images without loss to OUT/images, so that nothing is decoded differently, and OUT/none.npy, sum.npy and concat.npy: f(x), f(x) + f(mirrored x)
and both one after the other.
"""
import csv, pathlib, sys
import numpy as np, onnxruntime
from PIL import Image

model, mean, std, images, pairs, out = sys.argv[1:]
images, out = pathlib.Path(images), pathlib.Path(out)
mean, std = (np.array([float(v) for v in s.split(",")], np.float32) for s in (mean, std))
names = set()
for line in open(pairs).read().splitlines()[1:]:
    f = line.split("\t")
    people = [(f[0], f[1]), (f[0], f[2])] if len(f) == 3 else [(f[0], f[1]), (f[2], f[3])]
    names |= {f"{p}/{p}_{int(i):04d}" for p, i in people}
names = sorted(names)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name


def embed(x):
    x = ((x.astype(np.float32) - mean) / std).transpose(2, 0, 1)
    return session.run(None, {name: np.ascontiguousarray(x)[None]})[0][0]


straight, mirrored = [], []
for n in names:
    x = np.asarray(Image.open(images / f"{n}.jpg").convert("RGB"))
    path = out / "images" / f"{n}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(x).save(path, compress_level=1)
    straight.append(embed(x))
    mirrored.append(embed(x[:, ::-1]))
straight, mirrored = np.stack(straight), np.stack(mirrored)
for kind, v in (("none", straight), ("sum", straight + mirrored), ("concat", np.concatenate([straight, mirrored], 1))):
    np.save(out / f"{kind}.npy", v)
    with open(out / f"{kind}.names.csv", "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(["identity", "name"])
        w.writerows([n.split("/")[0], f"{n}.png"] for n in names)
print("onnxruntime", onnxruntime.__version__, len(names), "images")
