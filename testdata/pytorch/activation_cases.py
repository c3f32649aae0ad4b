"""Activations and softmax, small, large and extreme inputs."""

import numpy as np
import torch
import torch.nn.functional as F

from cases import Values, differentiable

# Most lie where exp, tanh or their products overflow or vanish in float32; with
# 1.5 among them, derivatives are judged against one that has not vanished.
EXTREMES = [-1000.0, -100.0, -89.0, -88.0, -50.0, -20.5, -10.0, -1.5, 1.5, 10.0, 20.5, 50.0, 88.0, 89.0, 100.0, 1000.0]


def erf(x):
    # Without scipy: the error function of the C library.
    from math import erf as scalar
    return np.vectorize(scalar, otypes=[float])(x)


def logistic(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def softplus(x):
    # PyTorch's threshold: past 20 the curve is its asymptote, 2e-9 away.
    return np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


# group: (name, options, torch call as text, call, definition)
ACTIVATIONS = {
    "relu": [("", {}, "relu(x)", F.relu, lambda x: np.maximum(x, 0))],
    "leaky_relu": [
        (f"slope_{s}_", {"negative_slope": s}, f"leaky_relu(x, {s})",
         lambda x, s=s: F.leaky_relu(x, s), lambda x, s=s: np.where(x > 0, x, s * x))
        for s in [0.01, 0.2]],
    "elu": [
        (f"alpha_{a}_", {"alpha": a}, f"elu(x, {a})",
         lambda x, a=a: F.elu(x, a), lambda x, a=a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))))
        for a in [1.0, 0.5]],
    "gelu": [
        ("exact_", {"approximate": "none"}, "gelu(x)", F.gelu, lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2)))),
        ("tanh_", {"approximate": "tanh"}, "gelu(x, approximate='tanh')",
         lambda x: F.gelu(x, approximate="tanh"), gelu_tanh)],
    "silu": [("", {}, "silu(x)", F.silu, lambda x: x * logistic(x))],
    "sigmoid": [("", {}, "sigmoid(x)", torch.sigmoid, logistic)],
    "tanh": [("", {}, "tanh(x)", torch.tanh, np.tanh)],
    "softplus": [("", {}, "softplus(x)", F.softplus, softplus)],
}


def activation(group):
    def make():
        out = []
        for prefix, options, text, call, definition in ACTIVATIONS[group]:
            for name, x, kinks in inputs_of(group, prefix):
                text_full = ("torch." if group in ("sigmoid", "tanh") else "torch.nn.functional.") + text
                out.append(differentiable(prefix + name, text_full, options, call, definition, {"x": x}, kinks=kinks))
        return out

    return make


def inputs_of(group, prefix):
    v = Values(group + prefix)
    yield "small", v.off_grid(3, 5, reach=3.0), False
    yield "past_a_workgroup", v.off_grid(67, reach=8.0), False
    # The central difference of a large value has no digits left to judge.
    yield "extreme", np.array(EXTREMES), True
    # At a kink PyTorch takes the slope of the negative side.
    yield "zero", np.array([0.0, 2.0**-8, -(2.0**-8)]), True


def shifted(x):
    return x - x.max(-1, keepdims=True)


def softmax_definition(x):
    e = np.exp(shifted(x))
    return e / e.sum(-1, keepdims=True)


def log_softmax_definition(x):
    return shifted(x) - np.log(np.exp(shifted(x)).sum(-1, keepdims=True))


def over_rows(group, call, definition):
    def make():
        out = []
        for name, shape in [("small", (3, 7)), ("one_column", (3, 1)), ("three_dimensions", (2, 3, 5)),
                            ("past_a_workgroup", (3, 67)), ("large_logits", (5, 7)), ("equal_logits", (2, 5))]:
            v = Values(group + name)
            x = v.grid(*shape, reach=4.0)
            if name == "large_logits":
                x = v.grid(*shape) + np.array([1000.0, -1000.0, 89.0, 0.0, 0.0])[:, None]
                x[3], x[4, 0] = [0, 88, 89, 90, -1000, 1000, 500], 300.0
            if name == "equal_logits":
                x[...] = 3.0
            out.append(differentiable(name, f"torch.nn.functional.{group}(x, dim=-1)", {"dim": -1},
                                      call, definition, {"x": x}))
        return out

    return make


GROUPS = {g: activation(g) for g in ACTIVATIONS}
GROUPS["softmax"] = over_rows("softmax", lambda x: F.softmax(x, -1), softmax_definition)
GROUPS["log_softmax"] = over_rows("log_softmax", lambda x: F.log_softmax(x, -1), log_softmax_definition)
