"""Writes small detectors with random weights, and what other programs make of them, for pipeline/align/detect.

    pip install torch torchvision onnx onnxruntime && pip install --no-deps facenet-pytorch==2.6.0
    python scripts/golden/detect.py pipeline/align/detect/testdata

scrfd.onnx, yunet.onnx and retinaface.onnx give what InsightFace's det_10g, OpenCV's face_detection_yunet_2023mar and biubug6's mobilenet0.25 give, in outputs of
the same shapes; pnet, rnet and onet.onnx read and give what MTCNN's networks do. golden.json has the faces: for the first three by onnxruntime and the
formulas of those projects in numpy, for MTCNN by facenet-pytorch's own detect_face. Pictures are a formula, so that no file is needed.
Made with torch 2.15.0, onnxruntime 1.32.0, numpy 2.4.6.
"""
import itertools, json, math, pathlib, sys, warnings
import numpy as np, onnxruntime, torch, torch.nn as nn

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "detector"))
import mtcnn

warnings.simplefilter("ignore")
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(3)
SIDE = 96


def picture(w, h):
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing="ij")
    return (((x * x * (c + 1) + 3 * y * y + 5 * x * y) >> 6) + 40 * c + ((x // 9 + y // 7) % 2) * 90 & 255).astype(np.uint8)


def export(net, path, outputs, size=SIDE, axes=None):
    torch.onnx.export(net.eval(), torch.zeros(1, 3, size, size), path, input_names=["input"], output_names=outputs, opset_version=13, dynamic_axes=axes, dynamo=False)


def spread(convs, gain):
    for c in convs:
        nn.init.normal_(c.weight, std=gain)
        nn.init.uniform_(c.bias, -0.1, 0.1)
    return nn.ModuleList(convs)


class Heads(nn.Module):
    """A convolution for each stride and head, which looks at nothing but its own cell."""

    def __init__(self, channels, gain):
        super().__init__()
        self.convs = spread([nn.Conv2d(3, c, 2, s) for c in channels for s in (8, 16, 32)], gain)


class SCRFD(Heads):
    def __init__(self):
        super().__init__([2, 8, 20], 1.0)

    def forward(self, x):
        y = [c(x) for c in self.convs]
        flat = lambda v, n: v.permute(2, 3, 0, 1).reshape(-1, n)
        return tuple([flat(v, 1).sigmoid() for v in y[:3]] + [flat(v, 4) + 1 for v in y[3:6]] + [flat(v, 10) for v in y[6:]])


class YuNet(Heads):
    def __init__(self):
        super().__init__([1, 1, 4, 10], 0.002)

    def forward(self, x):
        y = [c(x) for c in self.convs]
        flat = lambda v, n: v.permute(0, 2, 3, 1).reshape(1, -1, n)
        return tuple([flat(v, 1).sigmoid() for v in y[:6]] + [flat(v, 4) for v in y[6:9]] + [flat(v, 10) for v in y[9:]])


class RetinaFace(Heads):
    def __init__(self):
        super().__init__([8, 4, 20], 0.002)

    def forward(self, x):
        y = [c(x) for c in self.convs]
        flat = lambda v, n: torch.cat([a.permute(0, 2, 3, 1).reshape(1, -1, n) for a in v], 1)
        return flat(y[:3], 4), torch.softmax(flat(y[3:6], 2), -1), flat(y[6:], 10)


def nms(faces):
    faces.sort(key=lambda f: -f["score"])
    kept = []
    for f in faces:
        def iou(g):
            a, b = f["box"], g["box"]
            w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            both = max(w, 0) * max(h, 0)
            return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
        if f["box"][2] > f["box"][0] and f["box"][3] > f["box"][1] and all(iou(g) <= 0.4 for g in kept):
            kept.append(f)
    return kept


def face(score, box, points):
    numbers = lambda v: [round(float(x), 5) for x in np.asarray(v).ravel()]
    return {"score": float(score), "box": numbers(box), "landmarks": numbers(points)}


def infer(name, x):
    return onnxruntime.InferenceSession(out / f"{name}.onnx").run(None, {"input": x.astype(np.float32).transpose(2, 0, 1)[None]})


def scrfd(img, threshold):
    y = infer("scrfd", (img - 127.5) / 128)
    faces = []
    for i, s in enumerate((8, 16, 32)):
        n = SIDE // s
        centers = np.stack(np.mgrid[:n, :n][::-1], axis=-1).astype(np.float32).reshape(-1, 2) * s  # InsightFace's scrfd.py
        centers = np.stack([centers] * 2, axis=1).reshape(-1, 2)
        d, k = y[3 + i] * s, y[6 + i] * s
        box = np.stack([centers[:, 0] - d[:, 0], centers[:, 1] - d[:, 1], centers[:, 0] + d[:, 2], centers[:, 1] + d[:, 3]], -1)
        points = np.stack([centers[:, j % 2] + k[:, j] for j in range(10)], -1)
        faces += [face(y[i][j, 0], box[j], points[j]) for j in np.where(y[i].ravel() >= threshold)[0]]
    return nms(faces)


def yunet(img, threshold):
    y = infer("yunet", img[:, :, ::-1].astype(np.float32))
    faces = []
    for i, s in enumerate((8, 16, 32)):
        n = SIDE // s
        for r, c in itertools.product(range(n), range(n)):  # OpenCV's face_detect.cpp
            j = r * n + c
            score = math.sqrt(min(max(y[i][0, j, 0], 0), 1) * min(max(y[3 + i][0, j, 0], 0), 1))
            if score < threshold:
                continue
            b, k = y[6 + i][0, j], y[9 + i][0, j]
            cx, cy, w, h = (c + b[0]) * s, (r + b[1]) * s, math.exp(b[2]) * s, math.exp(b[3]) * s
            faces.append(face(score, [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], [(k[2 * q + a] + (c, r)[a]) * s for q in range(5) for a in range(2)]))
    return nms(faces)


def retinaface(img, threshold):
    loc, conf, landms = (v[0] for v in infer("retinaface", img[:, :, ::-1].astype(np.float32) - (104, 117, 123)))
    priors = []
    for s, sizes in zip((8, 16, 32), ([16, 32], [64, 128], [256, 512])):  # biubug6's prior_box.py and box_utils.py
        f = math.ceil(SIDE / s)
        for i, j in itertools.product(range(f), range(f)):
            for m in sizes:
                priors.append([(j + 0.5) * s / SIDE, (i + 0.5) * s / SIDE, m / SIDE, m / SIDE])
    priors = np.array(priors)
    box = np.concatenate((priors[:, :2] + loc[:, :2] * 0.1 * priors[:, 2:], priors[:, 2:] * np.exp(loc[:, 2:] * 0.2)), 1)
    box[:, :2] -= box[:, 2:] / 2
    box[:, 2:] += box[:, :2]
    points = np.concatenate([priors[:, :2] + landms[:, 2 * q:2 * q + 2] * 0.1 * priors[:, 2:] for q in range(5)], 1)
    return nms([face(conf[j, 1], box[j] * SIDE, points[j] * SIDE) for j in np.where(conf[:, 1] >= threshold)[0]])


def small(side, landmarks):
    """A network that stands for R-net or O-net."""
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 4, side // 6)
            self.act = nn.PReLU(4)
            self.heads = nn.ModuleList([nn.Linear(4 * 6 * 6, n) for n in ([4, 10, 2] if landmarks else [4, 2])])
            for h, gain in zip(self.heads, ([0.02, 0.05, 0.4] if landmarks else [0.02, 0.4])):
                nn.init.normal_(h.weight, std=gain)
            if landmarks:
                nn.init.constant_(self.heads[1].bias, 0.5)

        def forward(self, x):
            x = self.act(self.conv(x)).flatten(1)
            y = [h(x) for h in self.heads]
            return (*y[:-1], torch.softmax(y[-1], 1))
    return Net()


class PNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.pool, self.b, self.act = nn.Conv2d(3, 4, 3), nn.MaxPool2d(2, 2, ceil_mode=True), nn.Conv2d(4, 6, 5), nn.PReLU(6)
        self.score, self.box = nn.Conv2d(6, 2, 1), nn.Conv2d(6, 4, 1)
        nn.init.normal_(self.score.weight, std=6.0)

    def forward(self, x):
        x = self.act(self.b(self.pool(self.a(x))))
        return self.box(x), torch.softmax(self.score(x), 1)


golden = {"side": SIDE}
image = picture(SIDE, SIDE)
export(SCRFD(), out / "scrfd.onnx", [f"{k}_{s}" for k in ("score", "bbox", "kps") for s in (8, 16, 32)], axes={"input": {2: "h", 3: "w"}})
export(YuNet(), out / "yunet.onnx", [f"{k}_{s}" for k in ("cls", "obj", "bbox", "kps") for s in (8, 16, 32)])
export(RetinaFace(), out / "retinaface.onnx", ["loc", "conf", "landms"])
for name, threshold in (("scrfd", 0.8), ("yunet", 0.55), ("retinaface", 0.62)):
    golden[name] = {"min_score": threshold, "faces": globals()[name](image, threshold)}

networks = mtcnn.networks()
detect_face = networks.detect_face
nets = [PNet().eval(), small(24, False).eval(), small(48, True).eval()]
export(nets[0], out / "pnet.onnx", ["box", "score"], 64, {"input": {0: "n", 2: "h", 3: "w"}, "box": {0: "n", 2: "y", 3: "x"}, "score": {0: "n", 2: "y", 3: "x"}})
export(nets[1], out / "rnet.onnx", ["box", "score"], 24, {k: {0: "n"} for k in ("input", "box", "score")})
export(nets[2], out / "onet.onnx", ["box", "landmarks", "score"], 48, {k: {0: "n"} for k in ("input", "box", "landmarks", "score")})
golden["mtcnn"] = []
for w, h in ((150, 110), (97, 203)):
    with torch.no_grad():
        boxes, points = detect_face(picture(w, h), 20, *nets, [0.6, 0.7, 0.7], 0.709, "cpu")
    golden["mtcnn"].append({"width": w, "height": h, "faces": sorted((face(b[4], b[:4], p) for b, p in zip(boxes[0], points[0])), key=lambda f: -f["score"])})

(out / "golden.json").write_text(json.dumps(golden, indent=None, separators=(",", ":")) + "\n")
for k, v in golden.items():
    print(k, [len(x["faces"]) for x in (v if isinstance(v, list) else [v])] if k != "side" else v)
