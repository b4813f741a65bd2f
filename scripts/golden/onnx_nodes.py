"""Writes ONNX's own backend node tests (onnx.backend.test) as embed/onnx reads them.

    python scripts/golden/onnx_nodes.py OPERATORS OUT.json.gz [LARGEST]

OPERATORS is a file with the operators' names that are supported, a line each. A test is taken if all its nodes are of these. Its
first input of floats stays an input; the others, as weights would be, become initialisers. OUT.json.gz says which version of onnx
it is from, which tests there are and why others are left out. A test has its model, the input, and the outputs (little-endian
float32 in row-major order, integers and booleans as such numbers, all in base 64), and the shapes of input and outputs.
LARGEST leaves out tests of more bytes than that.
"""
import base64, collections, gzip, json, sys, warnings
import numpy as np, onnx
from onnx import numpy_helper

warnings.simplefilter("ignore")
from onnx.backend.test.case.node import collect_testcases

supported = set(open(sys.argv[1]).read().split())
largest = int(sys.argv[3]) if len(sys.argv) > 3 else 1 << 40
taken, left = [], {}


def text(data):
    return base64.b64encode(data).decode()


def array(x):
    if isinstance(x, np.generic):  # a number
        return np.asarray(x)
    return numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else x


for test in sorted(collect_testcases(None), key=lambda t: t.name):
    graph, ops = test.model.graph, {n.op_type for n in test.model.graph.node}
    if not ops & supported:
        continue
    if not ops <= supported:
        left[test.name] = "has " + ", ".join(sorted(ops - supported))
        continue
    if any(n.domain not in ("", "ai.onnx") for n in graph.node):
        left[test.name] = "another domain"
        continue
    inputs, outputs = [array(x) for x in test.data_sets[0][0]], [array(x) for x in test.data_sets[0][1]]
    if any(not isinstance(x, np.ndarray) for x in inputs + outputs):
        left[test.name] = "sequences, optional values"
        continue
    kinds = {str(x.dtype) for x in inputs + outputs}
    if not kinds <= {"float16", "float32", "float64", "int64", "int32", "int8", "uint8", "bool", "int16", "uint16", "uint32", "uint64"}:
        left[test.name] = "types " + ", ".join(sorted(kinds))
        continue
    model = onnx.ModelProto()
    model.CopyFrom(test.model)
    first = next((i for i, x in enumerate(inputs) if x.dtype in (np.float16, np.float32, np.float64)), None)
    if first is None or inputs[first].size == 0 or not inputs[first].shape:
        first = None  # all is constant
    del model.graph.input[:]
    for i, (value, x) in enumerate(zip(graph.input, inputs)):
        if i == first:
            model.graph.input.add().CopyFrom(value)
        else:
            model.graph.initializer.append(numpy_helper.from_array(x, value.name))
    data = model.SerializeToString()
    if len(data) + sum(x.nbytes for x in inputs + outputs) > largest:
        left[test.name] = "size"
        continue
    x = inputs[first] if first is not None else np.zeros(0, np.float32)
    taken.append({
        "name": test.name, "operators": sorted(ops), "constant": first is None, "rtol": float(test.rtol), "atol": float(test.atol),
        "model": text(data), "in": text(x.astype("<f4").tobytes()), "out": [text(y.astype("<f4").tobytes()) for y in outputs],
        "shapes": [list(x.shape)] + [list(y.shape) for y in outputs],
    })
if largest < 1 << 40:
    left = {}
with open(sys.argv[2], "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as out:
    out.write(json.dumps({"onnx": onnx.__version__, "tests": taken, "left_out": left}).encode())
print(len(taken), "tests taken,", len(left), "left out:", collections.Counter(v.split(",")[0] for v in left.values()).most_common(12))
