"""torch_head.py eager|compiled CLASSES BATCH [SHARE [STEPS]]

Times a head alone in PyTorch, as fv-train bench --head-only does: AM-Softmax over CLASSES identities and
embeddings of 512 numbers, from the loss to the gradients of embeddings and weights. With a SHARE below 1
each step compares with that share of the classes, those of the batch among them (Partial FC), takes
their rows out of the table, and puts them back after a step of SGD with momentum.

Prints one line of JSON: milliseconds of the median step, and of the fastest; and the largest memory of the process.
T is the number of threads, 2 if not set.
"""
import json, os, resource, statistics, sys, time

import torch
import torch.nn.functional as F

mode, classes, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
share = float(sys.argv[4]) if len(sys.argv) > 4 else 1.0
steps = int(sys.argv[5]) if len(sys.argv) > 5 else 20
dim, scale, margin = 512, 30.0, 0.35
torch.set_num_threads(int(os.environ.get('T', '2')))
torch.manual_seed(1)


def head(x, w, y):
    cos = F.linear(F.normalize(x), F.normalize(w))
    cos = cos - F.one_hot(y, cos.shape[1]) * margin
    return F.cross_entropy(cos * scale, y)


if mode == 'compiled':
    head = torch.compile(head)
elif mode != 'eager':
    sys.exit(f'torch_head.py: {mode} is neither eager nor compiled')

x = torch.randn(batch, dim, requires_grad=True)
y = torch.randint(0, classes, (batch,))
weights = torch.empty(classes, dim).normal_(0, 0.01)


def whole():
    x.grad = weights.grad = None
    head(x, weights, y).backward()


def sample():
    """The classes of the batch and others drawn at random, ascending, and the labels as places among them."""
    draw = torch.rand(classes)
    own = y.unique()
    draw[own] = 2.0
    index = torch.topk(draw, max(round(share * classes), len(own))).indices.sort().values
    return index, torch.searchsorted(index, y)


def partial():
    index, place = sample()
    w = weights[index].requires_grad_()
    m = momentum[index]
    x.grad = None
    head(x, w, place).backward()
    with torch.no_grad():
        m.mul_(0.9).add_(w.grad.add_(w, alpha=5e-4))
        weights[index] = w - 0.1 * m
        momentum[index] = m


if share < 1:
    momentum = torch.zeros(classes, dim)
    step = partial
else:
    weights.requires_grad_()
    step = whole
for _ in range(3):
    step()
seconds = []
for _ in range(steps):
    began = time.perf_counter()
    step()
    seconds.append(time.perf_counter() - began)
print(json.dumps({
    'mode': mode, 'classes': classes, 'batch': batch, 'share': share,
    'step_ms': round(1000 * statistics.median(seconds), 3), 'best_ms': round(1000 * min(seconds), 3),
    'rss_mb': round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 976.5625, 1),
}), flush=True)
