"""What every group of cases shares: values, the judge, the JSON text."""

import json
import math
import zlib

import numpy as np
import torch


class Values:
    """Random numbers of one case, seeded by its name alone.

    They come from numpy's RandomState (whose integers never change between
    versions) on a grid of 2^-8, so that float32 holds every one exactly. A
    coarser grid gives shorter numbers where a case has many.
    """

    def __init__(self, name):
        self.rng = np.random.RandomState(zlib.crc32(name.encode()))

    def grid(self, *shape, reach=2.0, per_one=256):
        n = int(reach * per_one)
        return self.rng.randint(-n, n + 1, size=shape) / float(per_one)

    def off_grid(self, *shape, reach=2.0):
        """Half a step beside the grid: never equal to a grid value."""
        return self.grid(*shape, reach=reach) + 1.0 / 512

    def positive(self, *shape):
        return self.rng.randint(64, 513, size=shape) / 256.0

    def distinct(self, *shape):
        """All different, so that a maximum has no tie."""
        n = int(np.prod(shape))
        return (self.rng.permutation(n).reshape(shape) - n // 2) / 32.0

    def indices(self, below, *shape):
        return self.rng.randint(0, below, size=shape)


def is_float(a):
    return np.asarray(a).dtype.kind == "f"


def close(what, got, want, tolerance):
    """Fails unless got is within tolerance of want, relative to its largest."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, want {want.shape}"
    assert np.isfinite(want).all(), f"{what}: not finite"
    worst = np.abs(got - want).max()
    scale = max(np.abs(want).max(), 1e-30)
    assert worst <= tolerance * scale, f"{what}: off by {worst:g} of {scale:g}"


def evaluate(call, inputs, constants, dy, dtype):
    tensors = {}
    for name, a in inputs.items():
        t = torch.tensor(a)
        if is_float(a):
            t = t.to(dtype)
            t.requires_grad_(name not in constants)
        tensors[name] = t
    y = call(*tensors.values())
    y.backward(torch.tensor(dy).to(dtype))
    grads = {"d" + k: t.grad.double().numpy() for k, t in tensors.items() if t.requires_grad}
    return y.detach().double().numpy(), grads


def differentiable(name, text, options, call, definition, inputs, constants=(), kinks=False, per_one=256):
    """Makes one case with forward values and every gradient, judged three ways.

    call is torch, definition is numpy written from the formula. PyTorch's
    forward must equal the definition, its gradients must equal central
    differences (unless the case sits on a kink), and the same call in float32
    must come near, so that the case is fair to a float32 device.
    """
    for k, a in inputs.items():
        if is_float(a):
            assert (a.astype(np.float32) == a).all(), f"{name}: {k} is not float32"
    want = np.asarray(definition(*inputs.values()))
    scalar = want.ndim == 0
    dy = np.array(1.0) if scalar else Values(name + ".dy").grid(*want.shape, per_one=per_one)

    y, grads = evaluate(call, inputs, constants, dy, torch.float64)
    close(f"{name}: y against its definition", y, want, 1e-12)
    if not kinks:
        check_gradients(name, call, inputs, constants)
    y32, grads32 = evaluate(call, inputs, constants, dy, torch.float32)
    close(f"{name}: y in float32", y32, y, 1e-5)
    for k in grads:
        close(f"{name}: {k} in float32", grads32[k], grads[k], 1e-4)

    tensors = dict(inputs, y=y)
    if not scalar:
        tensors["dy"] = dy
    tensors.update(grads)
    return case(name, text, options, tensors)


def check_gradients(name, call, inputs, constants):
    tensors = []
    for k, a in inputs.items():
        t = torch.tensor(a)
        tensors.append(t.requires_grad_(is_float(a) and k not in constants))
    assert torch.autograd.gradcheck(call, tensors, eps=1e-6, atol=1e-5, rtol=1e-4), name


def case(name, text, options, tensors):
    return {"name": name, "torch": text, "options": options, "tensors": tensors}


def number(v):
    """The shortest text of v: exact for float32 inputs, 13 digits for results.

    Thirteen digits are far finer than float32 needs, and shorter than seventeen.
    """
    v = float(v)
    assert math.isfinite(v)
    if v == int(v) and abs(v) < 1e15:
        return str(int(v))
    if np.float32(v) == v:
        return repr(v)
    return repr(float(f"{v:.12e}"))


def write(path, cases):
    names = [c["name"] for c in cases]
    assert len(set(names)) == len(names), f"{path}: a name is used twice"
    out = []
    for c in cases:
        rows = []
        for k, a in c["tensors"].items():
            a = np.asarray(a)
            data = ", ".join(number(v) for v in a.reshape(-1))
            rows.append(f'   {json.dumps(k)}: {{"shape": {list(a.shape)}, "data": [{data}]}}')
        out.append(
            f' {{"name": {json.dumps(c["name"])},\n'
            f'  "torch": {json.dumps(c["torch"])},\n'
            f'  "options": {json.dumps(c["options"])},\n'
            '  "tensors": {\n' + ",\n".join(rows) + "}}"
        )
    text = "[\n" + ",\n".join(out) + "\n]\n"
    json.loads(text)
    assert len(text) < 100_000, f"{path}: {len(text)} bytes is too large for the repository"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
