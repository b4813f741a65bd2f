"""Golden values of the metric losses and their gradients, in float64.

    python scripts/golden/metric.py > losses/metric/testdata/metric.json

By pytorch-metric-learning, whose miners choose the triplets and pairs; contrastive and center loss, which it
has in other forms, by PyTorch's autograd from the equations.
"""
import json
import sys

import pytorch_metric_learning
import torch
import torch.nn.functional as F
from pytorch_metric_learning import distances, losses, miners, reducers

DIM = 5
LABELS = [3, 0, 0, 7, 3, 1, 0, 7, 1, 3, 5]


def numbers(t):
    return [float(f"{v:.12g}") for v in t.detach().flatten().tolist()]


def contrastive(x, labels, margin):
    u = F.normalize(x)
    terms = []
    for i in range(len(labels)):
        for j in range(i):
            square = ((u[i] - u[j]) ** 2).sum()
            terms.append(square / 2 if labels[i] == labels[j] else (margin - square.sqrt()).clamp(min=0) ** 2 / 2)
    return torch.stack(terms).mean()


def main():
    torch.manual_seed(2)
    labels = torch.tensor(LABELS)
    people = torch.randn(8, DIM, dtype=torch.float64)
    x = (people[labels] + 0.9 * torch.randn(len(LABELS), DIM, dtype=torch.float64)).to(torch.float32).to(torch.float64)
    x.requires_grad_()
    cases = []

    def case(name, loss, **settings):
        dx, = torch.autograd.grad(loss, x)
        cases.append({"loss": name, "settings": settings, "value": loss.item(), "dx": numbers(dx)})

    for margin in (0.5, 1, 2):
        case("contrastive", contrastive(x, labels, margin), margin=margin)
    square = distances.LpDistance(power=2)
    for margin in (0.2, 1):
        triplet = losses.TripletMarginLoss(margin=margin, distance=square)
        case("triplet", triplet(x, labels), margin=margin, mining=0)
        for mining, kind in ((1, "hard"), (2, "semihard")):
            mined = miners.TripletMarginMiner(margin=margin, type_of_triplets=kind, distance=square)(x, labels)
            assert len(mined[0]) > 2
            case("triplet", triplet(x, labels, mined), margin=margin, mining=mining)
        hard = miners.BatchHardMiner(distance=square)(x, labels)
        mean = losses.TripletMarginLoss(margin=margin, distance=square, reducer=reducers.MeanReducer())
        case("triplet", mean(x, labels, hard), margin=margin, mining=3)
    dots = distances.DotProductSimilarity(normalize_embeddings=False)
    case("n-pair", losses.NPairsLoss(distance=dots)(x, labels))
    for degrees in (36, 45):
        # The library normalises anchors and positives, but not negatives.
        case("angular", losses.AngularLoss(alpha=degrees)(F.normalize(x), labels), degrees=degrees)
    similar = losses.MultiSimilarityLoss(alpha=2, beta=50, base=0.5)
    case("multi-similarity", similar(x, labels), epsilon=0)
    case("multi-similarity", similar(x, labels, miners.MultiSimilarityMiner(epsilon=0.1)(x, labels)), epsilon=0.1)
    for temperature in (0.1, 0.5):
        case("supcon", losses.SupConLoss(temperature=temperature)(x, labels), temperature=temperature)

    # Center loss: two steps of its own update, from centres at 0.
    centers = torch.zeros(8, DIM, dtype=torch.float64)
    for _ in range(2):
        case("center", ((x - centers[labels]) ** 2).sum() / 2 / len(labels), alpha=0.5)
        for j in range(8):
            mine = x.detach()[labels == j]
            centers[j] -= 0.5 * (centers[j] - mine).sum(0) / (1 + len(mine))
    head = {"tool": f"PyTorch {torch.__version__}, pytorch-metric-learning {pytorch_metric_learning.__version__}, float64",
            "script": "scripts/golden/metric.py", "dim": DIM, "labels": LABELS, "x": numbers(x), "centers": numbers(centers)}
    lines = ",\n  ".join(json.dumps(c, separators=(",", ":")) for c in cases)
    sys.stdout.write(json.dumps(head, separators=(",", ":"))[:-1] + ',\n"cases":[\n  ' + lines + "]}\n")


main()
