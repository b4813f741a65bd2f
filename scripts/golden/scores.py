#!/usr/bin/env python3
"""A score file as pyarrow writes it, eval/testdata/scores.parquet.

  python scripts/golden/scores.py

Labels are 64-bit numbers, names dictionaries, all columns nullable. Needs pyarrow.
"""
import os

import pyarrow as pa
import pyarrow.parquet as pq

OUT = os.path.join(os.path.dirname(__file__), "..", "..", "eval", "testdata", "scores.parquet")
pq.write_table(pa.table({
    "site": pa.array([1, 2, 1, None], pa.int32()),
    "score": pa.array([0.75, -0.5, 1e-300, 0.1], pa.float64()),
    "label": pa.array([1, 0, 1, 0], pa.int64()),
    "a": pa.array(["Ëda/1.jpg", "王/1.jpg"] * 2).dictionary_encode(),
    "b": pa.array(["Ëda/2.jpg"] * 4),
}), OUT, compression="zstd")
print(pa.__version__)
