"""Whole networks, initialisers, and a state dict as safetensors."""

import json
import math
import os
import struct

import numpy as np
import torch
from torch import nn

from cases import Values, case, close
from layer_cases import conv2d_definition, windows
from loss_cases import log_softmax_definition
from optimizer_cases import adam_definition


def forward_definition(weights, x, convolutions):
    """The same network in numpy: convolution, ReLU, pool, ..., linear."""
    names = sorted({k.rsplit(".", 1)[0] for k in weights}, key=int)
    for layer in names[:convolutions]:
        x = conv2d_definition(1, 0, 1, 1)(x, weights[layer + ".weight"], weights[layer + ".bias"])
        x = windows(np.maximum(x, 0), 2, 2, 0, 0.0).max(axis=(4, 5))
    return x.reshape(len(x), -1) @ weights[names[-1] + ".weight"].T + weights[names[-1] + ".bias"]


def state(model):
    return {k: p.detach().double().numpy().copy() for k, p in model.state_dict().items()}


def train_cnn():
    """Five steps of Adam on one batch, from given weights."""
    name, steps, lr = "adam_5_steps", 5, 0.01
    # The eighth seed: no tie, ReLU edge or gradient near nothing on the way.
    v = Values(f"train_cnn.{name}.7")
    x, target = v.grid(5, 1, 8, 8), v.indices(3, 5)
    first = {"0.weight": v.grid(2, 1, 3, 3, reach=0.5), "0.bias": v.grid(2, reach=0.25),
             "4.weight": v.grid(3, 18, reach=0.5), "4.bias": v.grid(3, reach=0.25)}

    def run(dtype):
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3)).to(dtype)
        model.load_state_dict({k: torch.tensor(a) for k, a in first.items()})
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        losses, grads, weights = [], [], []
        for _ in range(steps):
            optimizer.zero_grad()
            weights.append(state(model))
            loss = nn.functional.cross_entropy(model(torch.tensor(x, dtype=dtype)), torch.tensor(target))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            grads.append({k: p.grad.double().numpy().copy() for k, p in model.named_parameters()})
        return np.array(losses), grads, weights, state(model)

    losses, grads, weights, last = run(torch.float64)
    for i in range(steps):
        log_p = log_softmax_definition(forward_definition(weights[i], x, 1))
        close(f"train_cnn: loss {i}", losses[i], -log_p[np.arange(5), target].mean(), 1e-12)
    for k in first:
        # A gradient near nothing would make Adam's step a question of rounding.
        assert min(np.abs(g[k]).min() for g in grads) > 1e-4, k
        trail = list(adam_definition(first[k], [g[k] for g in grads], lr=lr))
        close(f"train_cnn: {k}", last[k], trail[-1], 1e-12)
    losses32, _, _, last32 = run(torch.float32)
    close("train_cnn: losses in float32", losses32, losses, 1e-5)
    for k in first:
        close(f"train_cnn: {k} in float32", last32[k], last[k], 1e-4)

    tensors = {"x": x, "target": target, **first, "losses": losses}
    tensors.update({"grad." + k: g for k, g in grads[0].items()})
    tensors.update({"after." + k: a for k, a in last.items()})
    text = "Sequential(Conv2d(1, 2, 3), ReLU(), MaxPool2d(2), Flatten(), Linear(18, 3)); cross_entropy; torch.optim.Adam(lr=0.01)"
    return [case(name, text, {"steps": steps, "lr": lr, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}, tensors)]


def images():
    """A ring and a stroke, 28 by 28, soft edges, on a grid of 2^-8."""
    r, c = np.mgrid[0:28, 0:28].astype(float)
    ring = np.abs(np.hypot((r - 14) / 1.25, c - 13.5) - 6.5)
    stroke = np.abs(c - 17 + (r - 4) * 0.25) + np.maximum(np.abs(r - 14) - 9, 0) * 2
    both = np.stack([ring, stroke])[:, None]
    return np.round(np.clip(2.25 - both, 0, 1) * 255) / 256


def cnn():
    """The digits network with PyTorch's own first weights, and its logits."""
    torch.manual_seed(20240229)
    model = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Flatten(), nn.Linear(256, 10))
    weights = model.state_dict()
    write_safetensors("cnn.safetensors", {k: p.numpy() for k, p in weights.items()})
    x = images()
    want = forward_definition({k: p.double().numpy() for k, p in weights.items()}, x, 2)
    with torch.no_grad():
        near = model(torch.tensor(x, dtype=torch.float32)).numpy()
        y = model.double()(torch.tensor(x)).numpy()
    close("cnn: logits", y, want, 1e-12)
    close("cnn: logits in float32", near, y, 1e-5)
    text = ("Sequential(Conv2d(1, 8, 5), ReLU(), MaxPool2d(2), Conv2d(8, 16, 5), ReLU(), MaxPool2d(2), Flatten(), "
            "Linear(256, 10)), weights in cnn.safetensors")
    return [case("logits", text, {"classes": 10}, {"x": x, "y": y})]


def write_safetensors(name, tensors):
    """Eight bytes little-endian length, JSON header padded by spaces, data."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for k, a in tensors.items():
        assert a.dtype == np.float32
        header[k] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [offset, offset + a.nbytes]}
        offset += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in tensors.values():
            f.write(a.astype("<f4").tobytes())


SHAPES = [("linear", (7, 5)), ("linear_wide", (10, 256)), ("conv", (16, 8, 5, 5)), ("conv_grouped", (6, 2, 3, 3)),
          ("conv_depthwise", (5, 1, 3, 3)), ("conv_transpose", (3, 5, 2, 2))]

# name: (initialiser, mode, nonlinearity, a, gain)
RULES = {
    "kaiming_uniform_default": (nn.init.kaiming_uniform_, "fan_in", "leaky_relu", math.sqrt(5)),
    "kaiming_uniform_relu": (nn.init.kaiming_uniform_, "fan_in", "relu", 0),
    "kaiming_uniform_relu_fan_out": (nn.init.kaiming_uniform_, "fan_out", "relu", 0),
    "kaiming_normal_relu": (nn.init.kaiming_normal_, "fan_in", "relu", 0),
    "kaiming_normal_relu_fan_out": (nn.init.kaiming_normal_, "fan_out", "relu", 0),
    "xavier_uniform": (nn.init.xavier_uniform_, None, None, None),
    "xavier_normal": (nn.init.xavier_normal_, None, None, None),
}


def init():
    """Bounds and standard deviations, judged by many draws of PyTorch."""
    out = []
    for rule, (fill, mode, nonlinearity, a) in RULES.items():
        for shape_name, shape in SHAPES:
            fan_in = int(np.prod(shape[1:]))
            fan_out = shape[0] * int(np.prod(shape[2:]))
            options = {"fan_in": fan_in, "fan_out": fan_out}
            keywords = {}
            if mode:
                gain = nn.init.calculate_gain(nonlinearity, a)
                std = gain / math.sqrt(fan_in if mode == "fan_in" else fan_out)
                keywords = {"a": a, "mode": mode, "nonlinearity": nonlinearity}
            else:
                gain = 1.0
                std = math.sqrt(2.0 / (fan_in + fan_out))
            options.update(keywords, gain=gain, std=std)
            if "uniform" in rule:
                options["bound"] = math.sqrt(3.0) * std
            if rule == "kaiming_uniform_default":
                options["bias_bound"] = 1 / math.sqrt(fan_in)
            assert nn.init._calculate_fan_in_and_fan_out(torch.empty(shape)) == (fan_in, fan_out)
            check_draws(rule + shape_name, fill, keywords, shape, options)
            arguments = "".join(f", {k}={json.dumps(x)}" for k, x in keywords.items())
            out.append(case(f"{rule}.{shape_name}", f"torch.nn.init.{fill.__name__}(w{arguments})", options,
                            {"shape": np.array(shape)}))
    return out


def check_draws(name, fill, keywords, shape, options):
    torch.manual_seed(1)
    w = torch.empty(shape, dtype=torch.float64)
    count = 200_000 // w.numel() + 1
    draws = torch.stack([fill(w.clone(), **keywords) for _ in range(count)])
    assert abs(draws.std().item() / options["std"] - 1) < 0.01, name
    if "bound" in options:
        largest = draws.abs().max().item()
        assert options["bound"] * 0.999 < largest <= options["bound"], name


GROUPS = {"init": init, "train_cnn": train_cnn, "cnn": cnn}
