"""Compares ONNX files that fv-train export wrote with the embeddings that fv-eval embed wrote.

    python scripts/golden/onnx_export.py MODEL.onnx EMBEDDINGS.npy IMAGES [TOLERANCE]

The images are PNG files of the input's size, so that nothing is decoded or scaled differently. onnx.checker must accept the file,
with shapes inferred strictly; onnxruntime must give embeddings that, at unit length, differ in no number by more than the
tolerance (1e-5), for all images at once and one by one. The preprocessing is what the file's metadata says.
"""
import csv, json, sys
import numpy as np, onnx, onnxruntime
from PIL import Image

model, embeddings, images = sys.argv[1:4]
tolerance = float(sys.argv[4]) if len(sys.argv) > 4 else 1e-5

proto = onnx.load(model)
onnx.checker.check_model(proto, full_check=True)
onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
metadata = {p.key: p.value for p in proto.metadata_props}
contract = json.loads(metadata["fv.contract"])

want = np.load(embeddings)
with open(embeddings.removesuffix(".npy") + ".names.csv") as f:
    names = [row["name"] for row in csv.DictReader(f)]


def pixels(name):
    x = np.asarray(Image.open(f"{images}/{name}").convert("RGB"), np.float32)
    assert x.shape == (contract["height"], contract["width"], 3), x.shape
    if contract["color"] == "bgr":
        x = x[:, :, ::-1]
    x = (x - np.array(contract["mean"], np.float32)) / np.array(contract["std"], np.float32)
    return x.transpose(2, 0, 1)


x = np.stack([pixels(n) for n in names]).astype(np.float32)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
assert session.get_inputs()[0].name == "images" and session.get_outputs()[0].name == "embedding"
together = session.run(None, {"images": x})[0]
alone = np.concatenate([session.run(None, {"images": x[i : i + 1]})[0] for i in range(min(4, len(x)))])


def unit(v):
    return v / np.linalg.norm(v, axis=1, keepdims=True)


worst = max(np.abs(unit(together) - unit(want)).max(), np.abs(unit(alone) - unit(want[: len(alone)])).max())
lengths = np.linalg.norm(together, axis=1)
print(f"{model}: opset {proto.opset_import[0].version}, {len(names)} images, largest difference {worst:.2g}, lengths {lengths.min():.4g} to {lengths.max():.4g}")
if not worst <= tolerance:
    sys.exit(f"{model}: differs by {worst:.3g}, more than {tolerance:g}")
