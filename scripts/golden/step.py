"""Golden values of a training step, computed by PyTorch in float64.

    PYTHONPATH=DIR_OF_torch_nets.py python scripts/golden/step.py NET > pipeline/testdata/step_NET.json

NET is mobilefacenet (a batch of 8 at 112x112), sfnet20 or iresnet18 (4 at 80x80: a quarter of the
work, through the same kinds of convolution). Weights and images are not stored:
both sides compute them from uniform(), a hash of (tensor, entry). Stored are,
for one forward and backward pass and then ten steps of SGD (momentum 0.9,
weight decay 5e-4 on tensors of two or more dimensions, learning rate 0.002)
with an AM-Softmax head (s = 30, m = 0.35): the embeddings, each gradient's norm, sum and sampled
entries, the ten losses, and the final running statistics.

PReLU slopes lie near 1. Float32 rounding moves some of millions of activations across 0, and each
changes the gradient by a jump: with the usual slope of 1/4 PyTorch's own gradients in float32 differ
from those in float64 by 1e-3 of their norm, and with 0.97 single entries of small layers still do;
with 0.997 the mean over entries is 1e-5, whatever the order of summation. For the same reason the
learning rate is low: ten steps amplify what rounding does to the first.
"""
import json, sys
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from torch_nets import NETS

CLASSES, SAMPLES, STEPS, LR = 24, 3, 10, 0.002
IMAGES, HEAD = 1000, 1001  # tensor numbers beyond those of the parameters


def mix(x):
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(tensor, shape):
    """Uniform on [-1, 1), rounded to float32: entry i of tensor t is mix(mix(t) ^ i)."""
    i = np.arange(int(np.prod(shape)), dtype=np.uint64)
    with np.errstate(over="ignore"):
        u = mix(mix(np.array([tensor], dtype=np.uint64)) ^ i)
    u = (u >> np.uint64(40)).astype(np.float64) / 2**23 - 1
    return torch.from_numpy(u.astype(np.float32).astype(np.float64).reshape(shape))


def f32(t):
    """Rounds to float32, the precision in which the other side holds its weights."""
    return t.to(torch.float32).to(torch.float64)


def fill(net):
    """Weights U(-1,1)/sqrt(fan_in/3); norms' gains 1 + U/10; slopes 0.997 + U/1000; biases U/10."""
    kinds = {}
    for m in net.modules():
        for name, p in m.named_parameters(recurse=False):
            kinds[p] = (m, name)
    for i, p in enumerate(net.parameters()):
        m, name = kinds[p]
        u = uniform(i, tuple(p.shape))
        if p.ndim > 1:
            p.data = f32(u * np.float64(np.sqrt(3 / np.prod(p.shape[1:]))))
        elif isinstance(m, nn.PReLU):
            p.data = f32(0.997 + u / 1000)
        elif name == "bias":
            p.data = f32(u / 10)
        else:
            p.data = f32(1 + u / 10)


def describe(t):
    t = t.detach().flatten()
    step = max(1, len(t) // SAMPLES)
    return dict(
        shape=None, norm=float(t.norm()), sum=float(t.sum()),
        at=[i * step for i in range(SAMPLES) if i * step < len(t)],
        value=[float(t[i * step]) for i in range(SAMPLES) if i * step < len(t)],
    )


def short(x):
    """Nine significant digits: more than a float32 comparison can use."""
    if isinstance(x, float):
        return float(f"{x:.9g}")
    if isinstance(x, list):
        return [short(v) for v in x]
    if isinstance(x, dict):
        return {k: short(v) for k, v in x.items() if v is not None}
    return x


def network(name, side):
    """NETS[name], whose last linear layer is for 112x112, for images of another side."""
    net = NETS[name]()
    if side != 112:
        net.fc = nn.Linear(512 * (side // 16) ** 2, 512)
    return net


def main():
    name = sys.argv[1]
    batch, side = (8, 112) if name == "mobilefacenet" else (4, 80)
    torch.set_default_dtype(torch.float64)
    net = network(name, side).double()
    fill(net)
    w = nn.Parameter(f32(uniform(HEAD, (CLASSES, 512)) * 0.01))
    x = uniform(IMAGES, (batch, 3, side, side))
    y = torch.tensor([(7 * i) % CLASSES for i in range(batch)])
    params = list(net.parameters()) + [w]
    opt = torch.optim.SGD(
        [dict(params=[p for p in params if p.ndim > 1], weight_decay=5e-4),
         dict(params=[p for p in params if p.ndim == 1], weight_decay=0)], lr=LR, momentum=0.9)
    out = dict(tool="torch " + torch.__version__.split("+")[0], script="scripts/golden/step.py", net=name,
               batch=batch, side=side, classes=CLASSES, lr=LR, losses=[])
    for step in range(STEPS):
        opt.zero_grad()
        e = net(x)
        c = F.normalize(e) @ F.normalize(w).T
        loss = F.cross_entropy(30 * (c - 0.35 * F.one_hot(y, CLASSES)), y)
        loss.backward()
        out["losses"].append(float(loss))
        if step == 0:
            out["embedding"] = describe(e)
            out["gradients"] = [dict(describe(p.grad), shape=list(p.shape)) for p in params]
        opt.step()
    out["buffers"] = [describe(b) for b in net.buffers() if b.ndim > 0]
    json.dump(short(out), sys.stdout, separators=(",", ":"))
    print()


main()
