"""Losses, mean reduction: the value y and the gradient dx for dy = 1."""

import numpy as np
import torch
import torch.nn.functional as F

from activation_cases import log_softmax_definition
from cases import Values, differentiable

SHAPES = [("small", (3, 5)), ("one", (1, 1)), ("past_a_workgroup", (67,)), ("images", (2, 3, 3, 5))]


def cross_entropy():
    out = []
    for name, rows, classes, smoothing, weighted in [
        ("plain", 5, 7, 0.0, False),
        ("one_row", 1, 3, 0.0, False),
        ("past_a_workgroup", 67, 5, 0.0, False),
        ("many_classes", 3, 67, 0.0, False),
        ("large_logits", 5, 7, 0.0, False),
        ("smoothing", 5, 7, 0.1, False),
        ("smoothing_large_logits", 5, 7, 0.1, False),
        ("weights", 5, 7, 0.0, True),
        ("smoothing_weights", 5, 7, 0.1, True),
        ("smoothing_weights_past_a_workgroup", 67, 3, 0.1, True),
    ]:
        v = Values("cross_entropy." + name)
        x = v.grid(rows, classes, reach=4.0)
        if name.endswith("large_logits"):
            x = v.grid(rows, classes, reach=500.0)
            x[0] += 1000.0
        inputs = {"x": x, "target": v.indices(classes, rows)}
        if weighted:
            inputs["weight"] = v.positive(classes)

        def definition(x, target, weight=None):
            n, c = x.shape
            weight = np.ones(c) if weight is None else weight
            log_p = log_softmax_definition(x)
            smooth = np.full((n, c), smoothing / c)
            smooth[np.arange(n), target] += 1 - smoothing
            return -(smooth * weight * log_p).sum() / weight[target].sum()

        def call(x, target, weight=None):
            return F.cross_entropy(x, target, weight, label_smoothing=smoothing)

        text = f"torch.nn.functional.cross_entropy(x, target, weight={'weight' if weighted else None}, label_smoothing={smoothing})"
        out.append(differentiable(name, text, {"classes": classes, "label_smoothing": smoothing}, call, definition,
                                  inputs, constants=("weight",)))
    return out


def elementwise(group, variants):
    """variants: (suffix, options, text of further arguments, call, definition of one element)."""

    def make():
        out = []
        for suffix, options, text, call, element in variants:
            for shape_name, shape in SHAPES:
                v = Values(f"{group}.{shape_name}{suffix}")
                # Never equal to the target, where L1 has a kink.
                inputs = {"x": v.grid(*shape), "target": v.off_grid(*shape)}
                out.append(differentiable(
                    shape_name + suffix, f"torch.nn.functional.{group}(x, target{text})", options, call,
                    lambda x, target: element(x - target).mean(), inputs, constants=("target",)))
        return out

    return make


def huber_element(delta):
    return lambda d: np.where(np.abs(d) <= delta, 0.5 * d * d, delta * (np.abs(d) - 0.5 * delta))


HUBERS = [(f"_delta_{d}", {"delta": d}, f", delta={d}",
           lambda x, target, d=d: F.huber_loss(x, target, delta=d), huber_element(d)) for d in [1.0, 0.5, 2.0]]
SMOOTH = [(f"_beta_{b}", {"beta": b}, f", beta={b}",
           lambda x, target, b=b: F.smooth_l1_loss(x, target, beta=b),
           lambda d, b=b: huber_element(b)(d) / b) for b in [1.0, 0.5, 2.0]]


def bce_with_logits():
    out = []
    for name, shape, weighted in [("small", (3, 5), False), ("one", (1,), False), ("past_a_workgroup", (67,), False),
                                  ("large_logits", (2, 7), False), ("pos_weight", (5, 3), True),
                                  ("pos_weight_large_logits", (2, 7), True)]:
        v = Values("bce_with_logits." + name)
        x = v.off_grid(*shape, reach=4.0)
        if name.endswith("large_logits"):
            x[0] = [-1000, -100, -89, 89, 100, 1000, 20]
        # Soft labels as well as the hard ones 0 and 1.
        target = v.indices(9, *shape) / 8.0
        inputs = {"x": x, "target": target}
        if weighted:
            inputs["pos_weight"] = v.positive(shape[-1])

        def definition(x, target, pos_weight=1.0):
            softplus = lambda a: np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))
            return (pos_weight * target * softplus(-x) + (1 - target) * softplus(x)).mean()

        def call(x, target, pos_weight=None):
            return F.binary_cross_entropy_with_logits(x, target, pos_weight=pos_weight)

        text = ("torch.nn.functional.binary_cross_entropy_with_logits(x, target, "
                f"pos_weight={'pos_weight' if weighted else None})")
        out.append(differentiable(name, text, {}, call, definition, inputs, constants=("target", "pos_weight")))
    return out


GROUPS = {
    "cross_entropy": cross_entropy,
    "mse_loss": elementwise("mse_loss", [("", {}, "", lambda x, target: F.mse_loss(x, target), np.square)]),
    "l1_loss": elementwise("l1_loss", [("", {}, "", lambda x, target: F.l1_loss(x, target), np.abs)]),
    "huber_loss": elementwise("huber_loss", HUBERS),
    "smooth_l1_loss": elementwise("smooth_l1_loss", SMOOTH),
    "bce_with_logits": bce_with_logits,
}
