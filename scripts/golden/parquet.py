#!/usr/bin/env python3
"""Parquet files as pyarrow and pandas write them: scores, embeddings and a list of images.

  python scripts/golden/parquet.py

  eval/testdata/scores.parquet             labels are 64-bit numbers, names dictionaries, all columns nullable
  eval/matrix/testdata/*.parquet           the vectors of one matrix as lists of pandas and of fixed size, in float64 and of large_list
  pipeline/dataset/testdata/list.parquet   identities are float64, which pandas makes of whole numbers where one is missing

Needs pyarrow and pandas.
"""
import os

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")


def out(*path):
    file = os.path.join(ROOT, *path)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    return file


pq.write_table(pa.table({
    "site": pa.array([1, 2, 1, None], pa.int32()),
    "score": pa.array([0.75, -0.5, 1e-300, 0.1], pa.float64()),
    "label": pa.array([1, 0, 1, 0], pa.int64()),
    "a": pa.array(["Ëda/1.jpg", "王/1.jpg"] * 2).dictionary_encode(),
    "b": pa.array(["Ëda/2.jpg"] * 4),
}), out("eval", "testdata", "scores.parquet"), compression="zstd")

# Row i of the matrix is i+0.5, -i, 1; there are three rows in a group.
names, people = [f"王/{i}.jpg" for i in range(5)], ["王", "Ëda", "王", "Ëda", "王"]
rows = [[i + 0.5, -float(i), 1.0] for i in range(5)]
pd.DataFrame({"name": names, "identity": people, "vector": rows, "age": range(5)}).to_parquet(
    out("eval", "matrix", "testdata", "pandas.parquet"), row_group_size=3)
flat = pa.array([x for r in rows for x in r], pa.float32())
for file, vector, compression in (
    ("fixed", pa.FixedSizeListArray.from_arrays(flat, 3), "snappy"),
    ("large", pa.array(rows, pa.large_list(pa.float64())), "zstd"),
):
    pq.write_table(pa.table({"vector": vector, "identity": pa.array(people).dictionary_encode(), "name": names}),
                   out("eval", "matrix", "testdata", file + ".parquet"), compression=compression, row_group_size=3)

pd.DataFrame({"path": ["x/1.jpg", "x/2.jpg"], "label": [10.0, 9.0]}).to_parquet(out("pipeline", "dataset", "testdata", "list.parquet"))
print(pa.__version__, pd.__version__)
