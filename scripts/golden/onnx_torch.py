"""Writes ONNX files as PyTorch exports them, with what onnxruntime makes of an input.

    python scripts/golden/onnx_torch.py OUT

Small recognisers of the usual kinds (ResNet, IResNet, MobileNetV2 and V3, VGG, ShuffleNet, a detector with a feature pyramid) with random weights and
statistics, in several opsets, batch norm folded by the exporter (eval) or kept (training=PRESERVE), the batch fixed or not. For each,
OUT/NAME.onnx, NAME.x and NAME.y0 ... (float32). TestTorch in embed/onnx reads them where FV_ONNX_TORCH names the folder.
"""
import io, pathlib, sys, warnings
import numpy as np, onnxruntime, torch, torch.nn as nn, torch.nn.functional as F

warnings.simplefilter("ignore")
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(1)


def unit(i, o, k, s, g=1, act=nn.ReLU):
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o), act())


class Residual(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.a, self.b = unit(i, o, 3, s), nn.Sequential(nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o))
        self.down = nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o)) if s > 1 else nn.Identity()

    def forward(self, x):
        return F.relu(self.b(self.a(x)) + self.down(x))


class IResidual(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.body = nn.Sequential(nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o), nn.PReLU(o), nn.Conv2d(o, o, 3, s, 1, bias=False), nn.BatchNorm2d(o))
        self.down = nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o)) if s > 1 else nn.Identity()

    def forward(self, x):
        return self.body(x) + self.down(x)


class Inverted(nn.Module):
    def __init__(self, i, e, o, s, act, se=False):
        super().__init__()
        self.expand, self.depth = unit(i, e, 1, 1, act=act), unit(e, e, 3, s, e, act)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(e, e // 4, 1), nn.ReLU(), nn.Conv2d(e // 4, e, 1), nn.Hardsigmoid()) if se else None
        self.project = nn.Sequential(nn.Conv2d(e, o, 1, bias=False), nn.BatchNorm2d(o))
        self.same = i == o and s == 1

    def forward(self, x):
        y = self.depth(self.expand(x))
        if self.gate is not None:
            y = y * self.gate(y)
        y = self.project(y)
        return x + y if self.same else y


class Shuffle(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body = nn.Sequential(unit(c // 2, c // 2, 1, 1), nn.Conv2d(c // 2, c // 2, 3, 1, 1, groups=c // 2), nn.BatchNorm2d(c // 2), unit(c // 2, c // 2, 1, 1))

    def forward(self, x):
        a, b = x.chunk(2, 1)
        x = torch.cat([a, self.body(b)], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Normalized(nn.Module):
    def forward(self, x):
        return F.normalize(x)


class View(nn.Module):
    def forward(self, x):
        return x.view(x.size(0), -1)


class Preprocess(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1))

    def forward(self, x):
        return (x - self.mean) / 0.25


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = unit(3, 16, 3, 2), unit(16, 32, 3, 2, act=lambda: nn.LeakyReLU(0.1)), unit(32, 32, 3, 2)
        self.lateral, self.up = nn.Conv2d(32, 32, 1), nn.ConvTranspose2d(32, 32, 2, 2)
        self.score, self.box = nn.Conv2d(32, 4, 3, 1, 1), nn.Conv2d(32, 8, 3, 1, 1)
        self.pool = nn.MaxPool2d(2, 2, ceil_mode=True)

    def forward(self, x):
        p = self.b(self.a(x))
        q = self.c(p)
        p = self.lateral(p) + F.interpolate(q, scale_factor=2.0, mode="nearest")
        r = self.lateral(self.b(self.a(x))) + self.up(q)
        n = x.size(0)
        scores = torch.cat([F.softmax(self.score(t).permute(0, 2, 3, 1).reshape(n, -1, 2), -1) for t in (p, q, self.pool(q))], 1)
        boxes = torch.cat([torch.exp(self.box(t).clamp(max=4.0)).permute(0, 2, 3, 1).reshape(n, -1, 4) for t in (p, q, r)], 1)
        return scores, boxes


S = nn.Sequential
nets = {
    "resnet": S(unit(3, 16, 7, 2), nn.MaxPool2d(3, 2, 1), Residual(16, 16, 1), Residual(16, 32, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 24)),
    "iresnet": S(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.PReLU(16), IResidual(16, 16, 2), IResidual(16, 16, 1), nn.BatchNorm2d(16), nn.Dropout(0.4), nn.Flatten(), nn.Linear(16 * 256, 24), nn.BatchNorm1d(24)),
    "mobilenetv2": S(Preprocess(), unit(3, 16, 3, 2, act=nn.ReLU6), Inverted(16, 32, 16, 1, nn.ReLU6), Inverted(16, 32, 24, 2, nn.ReLU6), nn.Conv2d(24, 24, 8, groups=24), View(), nn.Linear(24, 24, bias=False), nn.BatchNorm1d(24), Normalized()),
    "mobilenetv3": S(unit(3, 16, 3, 2, act=nn.Hardswish), Inverted(16, 32, 16, 1, nn.Hardswish, True), Inverted(16, 32, 24, 2, nn.SiLU, True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 24)),
    "vgg": S(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=2, dilation=2), nn.ReLU(), nn.AvgPool2d(3, 2, 1), nn.Flatten(), nn.Linear(16 * 64, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 24)),
    "shufflenet": S(unit(3, 16, 3, 2), Shuffle(16), Shuffle(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(16, 24)),
    "detector": Detector(),
}
for net in nets.values():
    for m in net.modules():
        if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d)):
            nn.init.uniform_(m.running_mean, -0.5, 0.5), nn.init.uniform_(m.running_var, 0.5, 2), nn.init.uniform_(m.weight, 0.5, 1.5), nn.init.uniform_(m.bias, -0.5, 0.5)
        if isinstance(m, nn.PReLU):
            nn.init.uniform_(m.weight, -0.2, 0.5)
    net.eval()
x = torch.randn(1, 3, 32, 32)
count = 0
for name, net in nets.items():
    for opset, keep, dynamic, dynamo in ((9, False, False, False), (11, True, True, False), (13, False, True, False), (17, True, False, False), (18, False, True, True), (20, False, False, True)):
        full = f"{name}_{opset}{'_norms' if keep else ''}{'_any' if dynamic else ''}{'_dynamo' if dynamo else ''}"
        path = out / f"{full}.onnx"
        outputs = ["scores", "boxes"] if name == "detector" else ["embedding"]
        options = dict(opset_version=opset, input_names=["images"], output_names=outputs)
        try:
            if dynamo:
                if dynamic:
                    options["dynamic_shapes"] = ({0: torch.export.Dim("n")},) if not isinstance(net, Detector) else None
                torch.onnx.export(net, (x,), str(path), dynamo=True, external_data=False, verbose=False, **options)
            else:
                if dynamic:
                    options["dynamic_axes"] = {n: {0: "n"} for n in ["images"] + outputs}
                mode = torch.onnx.TrainingMode.PRESERVE if keep else torch.onnx.TrainingMode.EVAL
                torch.onnx.export(net, (x,), str(path), dynamo=False, training=mode, do_constant_folding=not keep, **options)
        except Exception as e:
            print(f"{full}: PyTorch does not export it: {str(e).splitlines()[0][:120]}")
            path.unlink(missing_ok=True)
            continue
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for k, y in enumerate(session.run(None, {session.get_inputs()[0].name: x.numpy()})):
            y.astype("<f4").tofile(out / f"{full}.y{k}")
        x.numpy().astype("<f4").tofile(out / f"{full}.x")
        count += 1
print("torch", torch.__version__, "onnxruntime", onnxruntime.__version__, count, "files")
