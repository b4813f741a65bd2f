#!/usr/bin/env python3
"""Packs of validation pairs as InsightFace's scripts write them, and hostile ones.

  python scripts/golden/binpack.py

Writes pipeline/dataset/binpack/testdata/packs.json: name -> pickle in base64. Needs numpy.
"""
import base64
import json
import os
import pickle
import sys

import numpy as np

OUT = os.path.join(os.path.dirname(__file__), "..", "..", "pipeline", "dataset", "binpack", "testdata", "packs.json")


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/executed",)


class EvalEvil:
    def __reduce__(self):
        return eval, ("1",)


images = [b"first\xff\x00", b"second" * 60, b"third", b"fourth"]
flags = [True, False]
arrays = [np.frombuffer(i, dtype=np.uint8).copy() for i in images]
# Python 2 wrote bytes as BINSTRING, lists item by item, and flags in decimal.
python2 = b"\x80\x02]q\x00(" + b"".join(b"T" + len(i).to_bytes(4, "little") + i for i in images) + b"e]q\x01(I01\nI00\ne\x86q\x02."
good = {f"bytes, protocol {p}": pickle.dumps((images, flags), protocol=p) for p in (2, 3, 4, 5)}
good |= {f"arrays, protocol {p}": pickle.dumps((arrays, flags), protocol=p) for p in (2, 3, 4, 5)}
good |= {f"numpy flags, protocol {p}": pickle.dumps([images, [np.True_, np.False_]], protocol=p) for p in (2, 4)}
good["python 2"] = python2
good["numbers"] = pickle.dumps((images, [1, 0]), protocol=4)
bad = {
    "os.system": pickle.dumps(([Evil()] * 4, flags), protocol=4),
    "builtins.eval": pickle.dumps(([EvalEvil()] * 4, flags), protocol=2),
    "one image short": pickle.dumps((images[:3], flags), protocol=4),
    "no pairs": pickle.dumps(([], []), protocol=4),
    "a dictionary": pickle.dumps({"images": images}, protocol=4),
    "text": pickle.dumps((["a", "b", "c", "d"], flags), protocol=4),
    "float array": pickle.dumps(([np.ones(3, dtype=np.float32)] * 4, flags), protocol=4),
    "flags of two": pickle.dumps((images, [2, 0]), protocol=4),
    "cut off": good["bytes, protocol 4"][:200],
}
b64 = lambda packs: {k: base64.b64encode(v).decode() for k, v in packs.items()}
os.makedirs(os.path.dirname(OUT), exist_ok=True)
with open(OUT, "w") as f:
    json.dump({"script": "scripts/golden/binpack.py", "versions": {"python": sys.version.split()[0], "numpy": np.__version__},
               "images": [base64.b64encode(i).decode() for i in images], "good": b64(good), "bad": b64(bad)}, f, indent=0)
    f.write("\n")
