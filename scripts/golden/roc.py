#!/usr/bin/env python3
"""Golden values of the evaluation, written to eval/testdata/roc.json.

  python scripts/golden/roc.py

ROC, AUC and d' from scikit-learn and numpy; the accuracy protocols written
again from their public definitions, as directly as they can be said, on
embeddings whose every number is in the file. Needs numpy and scikit-learn.
"""
import json
import os
import sys

import numpy as np
import sklearn
from sklearn.metrics import auc, roc_auc_score, roc_curve

OUT = os.path.join(os.path.dirname(__file__), "..", "..", "eval", "testdata", "roc.json")
FOLDS, DIM = 10, 5


def make(rng):
    """300 pairs in ten folds of 15 + 15, of images of 60 people."""
    people = rng.normal(size=(60, DIM))
    vectors, pairs = [], []

    def image(person):
        straight = people[person] + 0.75 * rng.normal(size=DIM)
        mirrored = straight + 0.3 * rng.normal(size=DIM)
        vectors.append([np.round(straight, 2).tolist(), np.round(mirrored, 2).tolist()])
        return len(vectors) - 1

    for fold in range(FOLDS):
        for same in (1, 0):
            for _ in range(15):
                a = rng.integers(60)
                b = a if same else (a + rng.integers(1, 60)) % 60
                pairs.append([image(a), image(b), same, fold])
    return np.array(vectors, dtype=np.float64), pairs


def cosine(a, b):
    return np.sum(a * b, 1) / np.sqrt(np.sum(a * a, 1) * np.sum(b * b, 1))


def curve(score, same):
    fpr, tpr, thr = roc_curve(same, score, drop_intermediate=False)
    fnmr = 1 - tpr
    at = np.argmin(np.round(np.abs(fpr - fnmr), 12))
    g, i = score[same], score[~same]
    return {
        "auc": roc_auc_score(same, score),
        "auc_trapezoid": auc(fpr, tpr),
        "fpr": fpr.tolist(),
        "tpr": tpr.tolist(),
        "eer": (fpr[at] + fnmr[at]) / 2,
        "d_prime": abs(g.mean() - i.mean()) / np.sqrt((g.var() + i.var()) / 2),
    }


def result(values, thresholds, ddof=0, scale=1.0):
    return {"mean": np.mean(values), "spread": np.std(values, ddof=ddof) * scale,
            "folds": list(values), "thresholds": list(thresholds)}


def insightface(x, a, b, same, fold):
    e = x[:, 0] + x[:, 1]
    e = e / np.linalg.norm(e, axis=1, keepdims=True)
    d = np.sum(np.square(e[a] - e[b]), 1)
    grid = np.arange(0, 4, 0.01)
    acc, thr = [], []
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        best = np.argmax([np.mean((d[train] < t) == same[train]) for t in grid])
        thr.append(grid[best])
        acc.append(np.mean((d[test] < grid[best]) == same[test]))
    return result(acc, thr)


def sphereface(x, a, b, same, fold):
    e = np.concatenate([x[:, 0], x[:, 1]], 1)
    grid = np.arange(-10000, 10001) / 10000

    def accuracy(s, y, t):
        return (np.sum(s[y] > t) + np.sum(s[~y] < t)) / len(s)

    acc, thr = [], []
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        mu = np.mean(np.concatenate([e[a[train]], e[b[train]]]), 0)
        s = cosine(e[a] - mu, e[b] - mu)
        values = np.array([accuracy(s[train], same[train], t) for t in grid])
        t = np.mean(grid[values == values.max()])
        thr.append(t)
        acc.append(accuracy(s[test], same[test], t))
    return result(acc, thr)


def plain(x, a, b, same, fold):
    s = cosine(x[a, 0], x[b, 0])
    grid = -1 + np.arange(401) / 200
    acc, thr = [], []
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        best = np.argmax([np.mean((s[train] >= t) == same[train]) for t in grid])
        thr.append(grid[best])
        acc.append(np.mean((s[test] >= grid[best]) == same[test]))
    return result(acc, thr)


def facexzoo(x, a, b, same, fold):
    s = cosine(x[a, 0], x[b, 0])
    acc, thr = [], []
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        step = (s[train].max() - s[train].min()) / 1000
        grid = s[train].min() + step * np.arange(1, 1001)
        g, i = s[train & same], s[train & ~same]
        best = np.argmax([np.mean(g > t) - np.mean(i > t) for t in grid])
        thr.append(grid[best])
        acc.append(np.mean((s[test] > grid[best]) == same[test]))
    return result(acc, thr, ddof=1, scale=1 / np.sqrt(FOLDS))


def opensphere(x, a, b, same, fold):
    s = cosine(x[a, 0], x[b, 0])
    grid = np.sort(s)[::-1]
    values = [np.mean((s >= t) == same) for t in grid]
    best = np.argmax(values)
    return {"mean": values[best], "spread": 0.0, "folds": [values[best]], "thresholds": [grid[best]]}


def main():
    rng = np.random.default_rng(3)
    x, pairs = make(rng)
    a, b, same, fold = (np.array(c) for c in zip(*pairs))
    same = same.astype(bool)
    score = cosine(x[a, 0], x[b, 0])
    ties = np.round(score, 1)
    out = {
        "script": "scripts/golden/roc.py",
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "scikit-learn": sklearn.__version__},
        "vectors": x.tolist(),
        "pairs": pairs,
        "curve": curve(score, same),
        "curve_of_scores_rounded_to_tenths": curve(ties, same),
        "protocols": {f.__name__: f(x, a, b, same, fold) for f in (insightface, sphereface, plain, facexzoo, opensphere)},
    }
    with open(OUT, "w") as f:
        json.dump(out, f, separators=(",", ":"))
        f.write("\n")


main()
