"""Golden values of the heads' losses and gradients, in float64.

    python scripts/golden/heads.py > losses/testdata/heads.json

Each head is written here from its paper's equation with PyTorch's own functions (normalize,
acos, cross_entropy) and differentiated by autograd. "detached" takes the margin for a
constant. The six samples lie at 0.1 to 3 radians from their class weight, so that
every piece of the piecewise heads is met. Heads that pytorch-metric-learning has are computed with
that too: cases whose "by" names it.
"""
import json
import math
import sys

import numpy as np
import pytorch_metric_learning
import torch
import torch.nn.functional as F
from pytorch_metric_learning import losses as pml

N, CLASSES, DIM, CENTERS = 6, 5, 8, 3


def psi(theta, m):
    k = torch.floor(m * theta / math.pi).detach()
    return (-1) ** k * torch.cos(m * theta) - 2 * k


def anneal(f, lam):
    return lambda c, r: (f(c, r) + lam * c) / (1 + lam)


def arc(m):
    return lambda c, r: torch.cos((torch.acos(c) + m).clamp(max=math.pi))


def arc_fallback(m):
    return lambda c, r: torch.where(torch.acos(c) + m <= math.pi, torch.cos(torch.acos(c) + m), c - m * math.sin(m))


def arc_easy(m):
    return lambda c, r: torch.where(c > 0, torch.cos(torch.acos(c) + m), c)


def combined(m1, m2, m3):
    return lambda c, r: torch.cos((m1 * torch.acos(c) + m2).clamp(max=math.pi)) - m3


def magface(c, r):
    a = r.clamp(10, 110)
    m = 0.45 + (0.8 - 0.45) / (110 - 10) * (a - 10)
    theta = torch.acos(c)
    return torch.where(theta + m <= math.pi, torch.cos(theta + m), c - m * torch.sin(m))


def adaface(mean, deviation):
    """Equations 12 to 15, with the batch in the running mean and deviation."""
    def f(c, r):
        length = r.detach().clamp(1e-3, 100)
        mu = 0.01 * length.mean() + 0.99 * mean
        sigma = 0.01 * length.std() + 0.99 * deviation
        z = (0.333 * (length - mu) / (sigma + 1e-3)).clamp(-1, 1)
        return torch.cos((torch.acos(c) - 0.4 * z).clamp(1e-3, math.pi - 1e-3)) - 0.4 - 0.4 * z
    return f


def it(step):
    return {"state": {"iteration": [step - 1]}}


# Heads with the other logits L cos θ: name, settings, (cos θ_y, ‖x‖) -> target over L, L (None: ‖x‖; 0: ‖x‖‖W‖).
LINEAR = [
    ("lsoftmax", it(1), anneal(lambda c, r: psi(torch.acos(c), 4), 1000 * (1 + 2.5e-5) ** -35), 0),
    ("lsoftmax", it(50001), anneal(lambda c, r: psi(torch.acos(c), 4), 1000 * (1 + 2.5e-5 * 50001) ** -35), 0),
    ("asoftmax", it(1), anneal(lambda c, r: psi(torch.acos(c), 4), max(5, 1000 / 1.12)), None),
    ("asoftmax", it(2000), anneal(lambda c, r: psi(torch.acos(c), 4), 5), None),
    ("asoftmax", {"norm": "scaled", **it(2000)}, anneal(lambda c, r: psi(torch.acos(c), 4), 5), 30),
    ("sphereface", {}, lambda c, r: psi(torch.acos(c), 1.7), 30),
    ("sphereface", {"norm": "kept"}, lambda c, r: psi(torch.acos(c), 1.7), None),
    ("amsoftmax", {}, lambda c, r: c - 0.35, 30),
    ("cosface", {}, lambda c, r: c - 0.35, 64),
    ("cosface", {"norm": "kept"}, lambda c, r: c - 0.35, None),
    ("arcface", {}, arc(0.5), 64),
    ("arcface", {"norm": "kept"}, arc(0.5), None),
    ("arcface-fallback", {}, arc_fallback(0.5), 64),
    ("arcface-easy", {}, arc_easy(0.5), 64),
    ("combined", {}, combined(1, 0.3, 0.2), 64),
    ("combined", {"params": {"m1": 0.9, "m2": 0.4, "m3": 0.15}}, combined(0.9, 0.4, 0.15), 64),
    ("elasticface-arc", {"params": {"deviation": 0}}, arc(0.5), 64),
    ("elasticface-cos", {"params": {"deviation": 0}}, lambda c, r: c - 0.35, 64),
    ("sphereface-r-v1", {}, lambda c, r: torch.cos((1.5 * torch.acos(c)).clamp(max=math.pi)), 30),
    ("adaface", {}, adaface(20, 100), 64),
    ("adaface", {"state": {"mean": [7], "deviation": [2.5]}}, adaface(7, 2.5), 64),
    ("magface", {}, magface, 64),
]
MARGINLESS = [("modified", {}, lambda c, r: c, None), ("normface", {}, lambda c, r: c, 30)]


def detach(value, linear):
    return linear + (value - linear).detach()


def linear_head(f, length, detached):
    def logits(x, w, own):
        r = x.norm(dim=1, keepdim=True)
        c = F.linear(F.normalize(x), F.normalize(w))
        t = f(c[own].unsqueeze(1), r)
        if detached:
            t = detach(t, c[own].unsqueeze(1))
        z = torch.where(own, t, c)
        return z * (length or r * (w.norm(dim=1) if length == 0 else 1))
    return logits


def sphereface_r_v2(detached):
    def logits(x, w, own):
        c = F.linear(F.normalize(x), F.normalize(w))
        other = torch.cos(torch.acos(c) / 1.4)
        if detached:
            other = detach(other, c)
        return 60 * torch.where(own, c, other)
    return logits


def circle(detached):
    def logits(x, w, own):
        c, m = F.linear(F.normalize(x), F.normalize(w)), 0.25
        weight = lambda v: v.clamp(min=0).detach() if detached else v.clamp(min=0)
        return 256 * torch.where(own, weight(1 + m - c) * (c - (1 - m)), weight(c + m) * (c - m))
    return logits


def curricularface(t, detached):
    def logits(x, w, own):
        c = F.linear(F.normalize(x), F.normalize(w))
        cy = c[own].unsqueeze(1)
        now = 0.99 * t + 0.01 * cy.mean().item()
        target = arc_fallback(0.5)(cy, None)
        if detached:
            target = detach(target, cy)
        hard = (c > torch.cos(torch.acos(cy) + 0.5)).detach()
        return 64 * torch.where(own, target, torch.where(hard, c * (now + c), c))
    return logits


def subcenter(detached):
    def logits(x, w, own):
        c = torch.einsum("nd,ckd->nck", F.normalize(x), F.normalize(w, dim=2)).amax(2)
        target = arc(0.5)(c, None)
        return 64 * torch.where(own, detach(target, c) if detached else target, c)
    return logits


ALPHA, R, M, T, LW = 0.7, 40, 0.4, 3, 50


def sphereface2(detached):
    def logits(x, w, b, own):
        c = F.linear(F.normalize(x), F.normalize(w))
        g = 2 * ((c + 1) / 2) ** T - 1 + M * (1 - 2 * own.double())
        return R * (detach(g, c) if detached else g) + b
    return logits


def start_bias():
    """The b at which the derivative of the loss with respect to b is 0 for cosines of 0, by bisection."""
    ay, ai = R * (2 * 0.5 ** T - 1 - M), R * (2 * 0.5 ** T - 1 + M)
    lo, hi = -1000.0, 1000.0
    for _ in range(200):
        b = (lo + hi) / 2
        own = torch.sigmoid(torch.tensor(-(ay + b), dtype=torch.float64)).item()
        others = torch.sigmoid(torch.tensor(ai + b, dtype=torch.float64)).item()
        if ALPHA * own > (1 - ALPHA) * (CLASSES - 1) * others:
            lo = b
        else:
            hi = b
    return lo


def numbers(t):
    return [float(f"{v:.9g}") for v in t.detach().flatten().tolist()]


def main():
    torch.manual_seed(1)
    f = lambda *shape: torch.randn(*shape).to(torch.float64)
    w, bias = f(CLASSES, DIM), f(CLASSES)
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    angles = torch.tensor([0.1, 0.8, 1.3, 2.0, 2.5, 3.0], dtype=torch.float64)
    toward = F.normalize(w[labels])
    away = f(N, DIM)
    away = F.normalize(away - (away * toward).sum(1, keepdim=True) * toward)
    x = f(N, 1).abs() * 6 * (angles.cos()[:, None] * toward + angles.sin()[:, None] * away)
    wk = f(CLASSES, CENTERS, DIM)
    x, w, bias, wk = (t.to(torch.float32).to(torch.float64).requires_grad_() for t in (x, w, bias, wk))
    # One length is inside MagFace's range, and the others keep what the random draw gave them.
    x = x.detach().clone()
    x[1] *= 40 / x[1].norm()
    x = x.to(torch.float32).to(torch.float64).requires_grad_()
    shared = torch.tensor([0.25], dtype=torch.float64).requires_grad_()
    own = F.one_hot(labels, CLASSES).bool()

    cases = []

    def case(head, gradient, settings, loss, target, *parameters):
        grads = torch.autograd.grad(loss, parameters)
        cases.append({"head": head, "gradient": gradient, **settings, "loss": loss.item(), "target": numbers(target),
                      **{name: numbers(g) for name, g in zip(("dx", "dw", "dbias"), grads)}})

    def softmax(head, gradient, settings, z, w, factor=1, penalty=0):
        case(head, gradient, settings, factor * F.cross_entropy(z, labels) + penalty, z[own], x, w)

    z = F.linear(x, w, bias)
    case("softmax", "", {}, F.cross_entropy(z, labels), z[own], x, w, bias)
    for name, settings, f, length in MARGINLESS:
        softmax(name, "", settings, linear_head(f, length, False)(x, w, own), w)
    for gradient in ("exact", "detached"):
        detached = gradient == "detached"
        for name, settings, f, length in LINEAR:
            factor = 50 / 30 if name == "sphereface-r-v1" else 1
            a = x.norm(dim=1).clamp(10, 110)
            penalty = 35 * (a / 110 ** 2 + 1 / a).mean() if name == "magface" else 0
            softmax(name, gradient, settings, linear_head(f, length, detached)(x, w, own), w, factor, penalty)
        softmax("sphereface-r-v2", gradient, {}, sphereface_r_v2(detached)(x, w, own), w, 50 / 60)
        softmax("circle", gradient, {}, circle(detached)(x, w, own), w)
        for t in (0, 0.375):
            softmax("curricularface", gradient, {"state": {"t": [t]}}, curricularface(t, detached)(x, w, own), w)
        softmax("subcenter-arcface", gradient, {}, subcenter(detached)(x, wk, own), wk)
        z = sphereface2(detached)(x, w, shared, own)
        weight = 1 - ALPHA + (2 * ALPHA - 1) * own.double()
        loss = LW / R * F.binary_cross_entropy_with_logits(z, own.double(), weight=weight, reduction="sum") / N
        case("sphereface2", gradient, {}, loss, z[own], x, w, shared)

    # The same from pytorch-metric-learning, where that is the same head.
    def library(head, settings, loss, w):
        loss = loss.double()
        loss.W.data = w.detach().reshape(-1, DIM).t().clone()
        value = loss(x, labels)
        dx, dw = torch.autograd.grad(value, (x, loss.W))
        cases.append({"head": head, "gradient": "" if head == "normface" else "exact", "by": "pytorch-metric-learning",
                      **settings, "loss": value.item(), "dx": numbers(dx), "dw": numbers(dw.t())})

    size = {"num_classes": CLASSES, "embedding_size": DIM}
    zero = {"lambda-base": 0, "lambda-min": 0}
    degrees = math.degrees(0.5)
    library("normface", {}, pml.NormalizedSoftmaxLoss(temperature=1 / 30, **size), w)
    library("lsoftmax", {"params": zero}, pml.LargeMarginSoftmaxLoss(margin=4, scale=1, **size), w)
    library("asoftmax", {"params": zero}, pml.SphereFaceLoss(margin=4, scale=1, **size), w)
    library("cosface", {}, pml.CosFaceLoss(margin=0.35, scale=64, **size), w)
    library("arcface-fallback", {}, pml.ArcFaceLoss(margin=degrees, scale=64, **size), w)

    head = {"tool": f"PyTorch {torch.__version__}, pytorch-metric-learning {pytorch_metric_learning.__version__}, numpy {np.__version__}, float64",
            "script": "scripts/golden/heads.py",
            "n": N, "classes": CLASSES, "dim": DIM, "labels": labels.tolist(),
            "x": numbers(x), "w": numbers(w), "w_centers": numbers(wk), "bias": numbers(bias), "shared_bias": numbers(shared),
            "start_bias": start_bias()}
    lines = ",\n  ".join(json.dumps(c, separators=(",", ":")) for c in cases)
    sys.stdout.write(json.dumps(head, separators=(",", ":"))[:-1] + ',\n"cases":[\n  ' + lines + "]}\n")


main()
