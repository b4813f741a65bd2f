"""Writes the three networks of MTCNN as ONNX files, for fv-train align --detector OUT.

    pip install torch onnx && pip install --no-deps facenet-pytorch==2.6.0
    python scripts/detector/mtcnn.py OUT

The weights are those that the package facenet-pytorch carries (MIT licence; ported by its authors from David Sandberg's facenet, of Zhang et al. 2016).
OUT/pnet.onnx reads images of any size, rnet.onnx faces of 24x24, onet.onnx of 48x48; RGB, (x - 127.5)/128. Tried with torch 2.15.0, onnx 1.23.2.
"""
import importlib.util, pathlib, sys, types, warnings
import torch

warnings.simplefilter("ignore")


def networks():
    """The package's module of the networks alone: the package itself asks for more than they need."""
    root = pathlib.Path(importlib.util.find_spec("facenet_pytorch").origin).parent / "models"
    for name, path in (("fp", root), ("fp.utils", root / "utils")):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(path)]
    spec = importlib.util.spec_from_file_location("fp.mtcnn", root / "mtcnn.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(net, size, outputs, path, free):
    axes = {"image": free, **{o: {0: "n"} for o in outputs}}
    if 2 in free:
        axes.update({o: {0: "n", 2: "h_out", 3: "w_out"} for o in outputs})
    torch.onnx.export(net.eval(), torch.zeros(1, 3, size, size), path, input_names=["image"], output_names=outputs, opset_version=13, dynamic_axes=axes, dynamo=False)


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    m = networks()
    write(m.PNet(), 64, ["box", "score"], out / "pnet.onnx", {0: "n", 2: "h", 3: "w"})
    write(m.RNet(), 24, ["box", "score"], out / "rnet.onnx", {0: "n"})
    write(m.ONet(), 48, ["box", "landmarks", "score"], out / "onet.onnx", {0: "n"})
