#!/usr/bin/env python3
"""Golden values of the newer parts of the evaluation.

  python scripts/golden/eval.py [NAME ...]

Writes, or writes those named (errors, calibrate, mcnemar, density) only: eval/testdata/errors.json (DET, EER, FMR100..., ZeroFMR from pyeer; AUC from scikit-learn; quantiles
from numpy) and eval/calibrate/testdata/calibrate.json (logistic regression minimised by scipy, PAV by
scikit-learn's isotonic regression) and eval/compare/testdata/mcnemar.json (scipy's exact binomial test) and eval/testdata/density.json (scipy's Gaussian kernels). Needs numpy, scipy, scikit-learn and pyeer.
"""
import importlib.metadata
import json
import os
import sys

import numpy as np
from pyeer.eer_stats import calculate_roc
from pyeer.eer_info import get_eer_stats
from scipy.optimize import minimize
from scipy.stats import binomtest, gaussian_kde
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "eval")
VERSIONS = {"python": sys.version.split()[0], **{m: importlib.metadata.version(m) for m in ("numpy", "scipy", "scikit-learn", "pyeer")}}


def write(path, out):
    path = os.path.join(ROOT, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump({"script": "scripts/golden/eval.py", "versions": VERSIONS, **out}, f, separators=(",", ":"))
        f.write("\n")


def errors(rng):
    genuine = np.round(np.clip(rng.normal(0.5, 0.16, 400), -1, 1), 3)
    impostor = np.round(np.clip(rng.normal(0.05, 0.12, 1000), -1, 1), 3)
    stats = get_eer_stats(genuine, impostor)
    thr, fmr, fnmr = calculate_roc(genuine, impostor)
    angles = {k: np.arccos(s) for k, s in (("positive", genuine), ("negative", impostor))}
    quantiles = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
    return {
        "genuine": genuine.tolist(), "impostor": impostor.tolist(),
        "auc": roc_auc_score([1] * 400 + [0] * 1000, np.concatenate([genuine, impostor])),
        "pyeer_eer_low": float(stats.eer_low), "pyeer_eer_high": float(stats.eer_high),
        "pyeer_decidability": float(stats.decidability),
        "pyeer_fmr100": float(stats.fmr100), "pyeer_fmr20": float(stats.fmr20), "pyeer_zero_fmr": float(stats.fmr0),
        "thresholds": [float(t) for t in thr], "fmr": [float(x) for x in fmr], "fnmr": [float(x) for x in fnmr],
        "quantiles": {k: np.quantile(a, quantiles, method="inverted_cdf").tolist() for k, a in angles.items()},
    }


def calibrate(rng):
    genuine = np.round(rng.normal(0.5, 0.2, 120), 2)  # rounded: with ties
    impostor = np.round(rng.normal(0.1, 0.15, 300), 2)

    def cllr(llr_g, llr_i):
        return (np.mean(np.logaddexp(0, -llr_g)) + np.mean(np.logaddexp(0, llr_i))) / 2 / np.log(2)

    best = minimize(lambda p: cllr(p[0] * genuine + p[1], p[0] * impostor + p[1]), [1.0, 0.0], method="BFGS", options={"gtol": 1e-11})
    for _ in range(3):  # to the last digits
        best = minimize(lambda p: cllr(p[0] * genuine + p[1], p[0] * impostor + p[1]), best.x, method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 1e-17, "maxiter": 4000})
    score = np.concatenate([genuine, impostor])
    same = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    pav = IsotonicRegression(y_min=0, y_max=1).fit(score, same).predict(score)
    with np.errstate(divide="ignore"):
        llr = np.log(pav) - np.log1p(-pav) - np.log(len(genuine) / len(impostor))
    return {
        "genuine": genuine.tolist(), "impostor": impostor.tolist(),
        "slope": best.x[0], "offset": best.x[1], "cllr": best.fun,
        "pav_posterior": pav.tolist(), "min_cllr": cllr(llr[same == 1], llr[same == 0]),
    }


def mcnemar():
    return {"cases": [{"only_a": a, "only_b": b, "p": binomtest(a, a + b).pvalue} for a, b in ((3, 12), (40, 61), (0, 5), (7, 7), (1, 30), (900, 1000))]}


def density(rng):
    """Angles near 0, where reflection matters, smoothed with Silverman's bandwidth."""
    angles = np.sort(np.round(np.abs(rng.normal(0.1, 0.25, 300)), 4))
    n = len(angles)
    q = np.quantile(angles, [0.25, 0.75], method="inverted_cdf")
    h = 0.9 * min(angles.std(), (q[1] - q[0]) / 1.34) * n ** -0.2
    mirrored = np.concatenate([angles, -angles, 2 * np.pi - angles])
    at = np.arange(361) * np.pi / 360
    return {"angles": angles.tolist(), "bandwidth": h, "density": (3 * gaussian_kde(mirrored, h / mirrored.std(ddof=1))(at)).tolist()}


for name, path, make in (
    ("mcnemar", "compare/testdata/mcnemar.json", mcnemar),
    ("errors", "testdata/errors.json", lambda: errors(np.random.default_rng(5))),
    ("calibrate", "calibrate/testdata/calibrate.json", lambda: calibrate(np.random.default_rng(7))),
    ("density", "testdata/density.json", lambda: density(np.random.default_rng(9))),
):
    if name in (sys.argv[1:] or [name]):
        write(path, make())
