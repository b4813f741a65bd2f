"""Golden values of the heads' losses and gradients, computed by PyTorch in float64.

    python scripts/golden/heads.py > losses/testdata/heads.json

Each head is written here from its paper's equation with PyTorch's own functions (normalize,
acos, cross_entropy) and differentiated by autograd. "detached" takes the margin for a
constant. The six samples lie at 0.1 to 3 radians from their class weight, so that
every piece of the piecewise heads is met.
"""
import json
import math
import sys

import torch
import torch.nn.functional as F

N, CLASSES, DIM = 6, 5, 8


def psi(theta, m):
    k = torch.floor(m * theta / math.pi).detach()
    return (-1) ** k * torch.cos(m * theta) - 2 * k


def annealing(it):
    return max(5.0, 1000.0 / (1 + 0.12 * it))


# name, settings, (cos θ_y, ‖x‖) -> target logit, what the other cosines are multiplied by
HEADS = [
    ("modified", {}, lambda c, r: r * c, None),
    ("normface", {}, lambda c, r: 30 * c, 30),
    ("asoftmax", {"it": 1}, lambda c, r: r * (psi(torch.acos(c), 4) + annealing(1) * c) / (1 + annealing(1)), None),
    ("asoftmax", {"it": 2000}, lambda c, r: r * (psi(torch.acos(c), 4) + 5 * c) / 6, None),
    ("sphereface", {}, lambda c, r: 30 * psi(torch.acos(c), 1.7), 30),
    ("amsoftmax", {}, lambda c, r: 30 * (c - 0.35), 30),
    ("cosface", {}, lambda c, r: 64 * (c - 0.35), 64),
    ("arcface", {}, lambda c, r: 64 * torch.cos((torch.acos(c) + 0.5).clamp(max=math.pi)), 64),
]


def logits(target, scale, x, w, labels, detached):
    r = x.norm(dim=1, keepdim=True)
    cos = F.linear(F.normalize(x), F.normalize(w))
    own = F.one_hot(labels, CLASSES).bool()
    factor = r if scale is None else torch.full_like(r, scale)
    c = cos[own].unsqueeze(1)
    t = target(c, r)
    if detached:
        t = factor * (c + (t / factor - c).detach())
    return torch.where(own, t, factor * cos)


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
    x, w, bias = (t.to(torch.float32).to(torch.float64).requires_grad_() for t in (x, w, bias))

    cases = []

    def case(head, settings, z, *parameters):
        loss = F.cross_entropy(z, labels)
        grads = torch.autograd.grad(loss, parameters)
        cases.append({"head": head, **settings, "loss": loss.item(), "target": numbers(z[range(N), labels]),
                      **{name: numbers(g) for name, g in zip(("dx", "dw", "dbias"), grads)}})

    case("softmax", {"gradient": "exact"}, F.linear(x, w, bias), x, w, bias)
    for name, settings, target, scale in HEADS:
        for detached in (False, True):
            z = logits(target, scale, x, w, labels, detached)
            case(name, {**settings, "gradient": "detached" if detached else "exact"}, z, x, w)
    head = {"tool": f"PyTorch {torch.__version__}, float64", "script": "scripts/golden/heads.py",
            "n": N, "classes": CLASSES, "dim": DIM, "labels": labels.tolist(),
            "x": numbers(x), "w": numbers(w), "bias": numbers(bias)}
    lines = ",\n  ".join(json.dumps(c, separators=(",", ":")) for c in cases)
    sys.stdout.write(json.dumps(head, separators=(",", ":"))[:-1] + ',\n"cases":[\n  ' + lines + "]}\n")


main()
