#!/usr/bin/env python3
"""Reads the events of a run as TensorBoard does and compares them with its log.jsonl, number by number.

    python3 scripts/golden/events.py RUN

It needs the package tensorboard. Last run with tensorboard 2.21.0, protobuf 7.36.2, on a run that was killed (kill -9) and resumed:
what the resumed run took anew is there once, as the log has it.
"""
import json
import math
import sys
from importlib.metadata import version

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, SCALARS

run = sys.argv[1]
print("tensorboard", version("tensorboard"), "protobuf", version("protobuf"))
events = EventAccumulator(run, size_guidance={SCALARS: 0}, purge_orphaned_data=True)
events.Reload()

KEYS = {"degrees/target": "target_angle", "degrees/nearest_other": "other_angle", "degrees/classes_min": "classes.min_angle",
        "degrees/classes_mean": "classes.mean_angle"}


def look_up(line, tag):
    for key in KEYS.get(tag, tag.replace("/", ".")).split("."):
        line = line.get(key) if line else None
    return math.degrees(line) if line is not None and tag.startswith("degrees/") else line


with open(run + "/log.jsonl") as f:
    lines = [json.loads(line) for line in f]
tags = events.Tags()["scalars"]
compared = 0
for tag in tags:
    want = {l["step"]: look_up(l, tag) for l in lines if look_up(l, tag) is not None}
    got = {}
    for e in events.Scalars(tag):
        assert e.step not in got, f"{tag}: step {e.step} is there twice"
        got[e.step] = e.value
    assert got.keys() == want.keys(), f"{tag}: steps {sorted(got.keys() ^ want.keys())} are in one of the two only"
    for step, v in want.items():
        assert abs(got[step] - v) <= 1e-6 * abs(v), f"{tag}, step {step}: {got[step]}, the log has {v}"
        compared += 1
assert {"loss", "lr", "grad_norm", "feature_norm"} <= set(tags), tags
print(f"{compared} numbers of {len(tags)} tags over {len(lines)} steps agree: {', '.join(tags)}")
