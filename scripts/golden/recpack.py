#!/usr/bin/env python3
"""A pack as MXNet writes it: pipeline/dataset/recpack/testdata/mxnet.rec and mxnet.idx.

  python scripts/golden/recpack.py

The layout is InsightFace's: record 0 says where images and people end. An image's bytes are no picture: image i of person k is k four minus k times, then i magic numbers of the
format, at which MXNet cuts a record where they stand at a multiple of four, then k again. Needs mxnet 1.9.1 with numpy 1.23.
"""
import os

import mxnet as mx

OUT = os.path.join(os.path.dirname(__file__), "..", "..", "pipeline", "dataset", "recpack", "testdata", "mxnet")
MAGIC = b"\x0a\x23\xd7\xce"
people = [2, 1, 3]  # images of each


def pack(index, label, data):
    return mx.recordio.pack(mx.recordio.IRHeader(2 if isinstance(label, list) else 0, label, index, 0), data)


os.makedirs(os.path.dirname(OUT), exist_ok=True)
w = mx.recordio.MXIndexedRecordIO(OUT + ".idx", OUT + ".rec", "w")
n = sum(people)
w.write_idx(0, pack(0, [float(n + 1), float(n + 1 + len(people))], b""))
i, ranges = 1, []
for k, images in enumerate(people):
    ranges.append([float(i), float(i + images)])
    for _ in range(images):
        w.write_idx(i, pack(i, float(k), bytes([k]) * (4 - k) + MAGIC * i + bytes([k])))
        i += 1
for k, r in enumerate(ranges):
    w.write_idx(n + 1 + k, pack(n + 1 + k, r, b""))
w.close()
print(mx.__version__)
