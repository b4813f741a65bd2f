"""Golden values of the plain losses and their gradients, in float64.

    python scripts/golden/plain.py > losses/plain/testdata/plain.json

By PyTorch's own losses; the focal losses, which it does not have, by its autograd from the equations.
"""
import json
import sys

import torch
import torch.nn.functional as F

N, CLASSES = 6, 4
WEIGHTS = [1, 2, 0.25, 0.5]


def numbers(t):
    return [float(f"{v:.12g}") for v in t.detach().flatten().tolist()]


def focal(z, t, gamma, alpha):
    p = torch.where(t == 1, torch.sigmoid(z), torch.sigmoid(-z))
    a = torch.where(t == 1, alpha, 1 - alpha) if alpha else 1
    return (-a * (1 - p) ** gamma * p.log()).mean()


def focal_softmax(z, y, gamma, weights):
    p = F.softmax(z, 1)[range(len(y)), y]
    w = weights[y] if weights is not None else 1
    return (-w * (1 - p) ** gamma * p.log()).mean()


def main():
    torch.manual_seed(3)
    x = (3 * torch.randn(N, CLASSES, dtype=torch.float64)).requires_grad_()
    p = torch.rand(N, CLASSES, dtype=torch.float64).requires_grad_()
    t = torch.randint(0, 2, (N, CLASSES)).double()
    soft = torch.rand(N, CLASSES, dtype=torch.float64)
    y = torch.tensor([0, 3, 1, 1, 2, 0])
    w = torch.tensor(WEIGHTS, dtype=torch.float64)
    cases = []

    def case(name, inputs, loss, target="", **settings):
        d, = torch.autograd.grad(loss, {"x": x, "p": p}[inputs])
        cases.append({"loss": name, "inputs": inputs, "target": target, "settings": settings, "value": loss.item(), "dx": numbers(d)})

    for target, values in (("t", t), ("soft", soft)):
        case("l1", "x", F.l1_loss(x, values), target)
        case("mse", "x", F.mse_loss(x, values), target)
        case("l2", "x", F.mse_loss(x, values) / 2, target)
        for delta in (1, 2.5):
            case("huber", "x", F.huber_loss(x, values, delta=delta), target, delta=delta)
        case("bce", "p", F.binary_cross_entropy(p, values), target)
        case("multi-label", "x", F.binary_cross_entropy_with_logits(x, values), target)
    for gamma, alpha in ((0, 0), (0.5, 0), (2, 0.25), (5, 0.75)):
        case("focal", "x", focal(x, t, gamma, alpha), "t", gamma=gamma, alpha=alpha)
    for smoothing in (0, 0.1, 1):
        for weighted in (0, 1):
            loss = F.cross_entropy(x, y, weight=w if weighted else None, label_smoothing=smoothing)
            case("cross-entropy", "x", loss, smoothing=smoothing, weighted=weighted)
    for gamma in (0, 0.5, 2, 5):
        for weighted in (0, 1):
            case("focal-softmax", "x", focal_softmax(x, y, gamma, w if weighted else None), gamma=gamma, weighted=weighted)
    head = {"tool": f"PyTorch {torch.__version__}, float64", "script": "scripts/golden/plain.py", "labels": y.tolist(),
            "weights": WEIGHTS, "x": numbers(x), "p": numbers(p), "t": numbers(t), "soft": numbers(soft)}
    lines = ",\n  ".join(json.dumps(c, separators=(",", ":")) for c in cases)
    sys.stdout.write(json.dumps(head, separators=(",", ":"))[:-1] + ',\n"cases":[\n  ' + lines + "]}\n")


main()
