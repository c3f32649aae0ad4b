"""Normalisation: training and evaluation form, running statistics."""

import numpy as np
import torch
import torch.nn.functional as F

from cases import Values, close, differentiable


def batch_axes(x):
    return (0,) + tuple(range(2, x.ndim))


def per_channel(a, x):
    return a.reshape((1, -1) + (1,) * (x.ndim - 2))


def batch_norm():
    out = []
    for name, shape, training, momentum, eps in [
        ("1d_training", (5, 3), True, 0.1, 1e-5),
        ("1d_training_past_a_workgroup", (67, 5), True, 0.1, 1e-5),
        ("1d_training_sequence", (3, 5, 7), True, 0.1, 1e-5),
        ("2d_training", (2, 3, 5, 7), True, 0.1, 1e-5),
        ("2d_training_momentum_eps", (3, 2, 3, 3), True, 0.3, 1e-2),
        ("2d_training_one_image", (1, 5, 3, 3), True, 0.1, 1e-5),
        ("1d_eval", (5, 3), False, 0.1, 1e-5),
        ("2d_eval", (2, 3, 5, 7), False, 0.1, 1e-5),
    ]:
        v = Values("batch_norm." + name)
        c = shape[1]
        x = v.grid(*shape) + per_channel(v.grid(c), np.zeros(shape))
        inputs = {"x": x, "weight": v.grid(c), "bias": v.grid(c), "running_mean": v.grid(c), "running_var": v.positive(c)}

        def call(x, weight, bias, running_mean, running_var):
            # Copies, for training would change them in place.
            return F.batch_norm(x, running_mean.clone(), running_var.clone(), weight, bias, training, momentum, eps)

        def definition(x, weight, bias, running_mean, running_var):
            mean, var = running_mean, running_var
            if training:
                mean, var = x.mean(batch_axes(x)), x.var(batch_axes(x))
            h = (x - per_channel(mean, x)) / np.sqrt(per_channel(var, x) + eps)
            return h * per_channel(weight, x) + per_channel(bias, x)

        options = {"num_features": c, "training": training, "momentum": momentum, "eps": eps}
        text = (f"torch.nn.functional.batch_norm(x, running_mean, running_var, weight, bias, "
                f"training={training}, momentum={momentum}, eps={eps})")
        one = differentiable(name, text, options, call, definition, inputs, constants=("running_mean", "running_var"))

        mean, var = torch.tensor(inputs["running_mean"]), torch.tensor(inputs["running_var"])
        F.batch_norm(torch.tensor(x), mean, var, training=training, momentum=momentum, eps=eps)
        want_mean, want_var = inputs["running_mean"], inputs["running_var"]
        if training:
            want_mean = (1 - momentum) * want_mean + momentum * x.mean(batch_axes(x))
            want_var = (1 - momentum) * want_var + momentum * x.var(batch_axes(x), ddof=1)
        close(name + ": running mean", mean.numpy(), want_mean, 1e-12)
        close(name + ": running variance", var.numpy(), want_var, 1e-12)
        one["tensors"].update(running_mean_after=mean.numpy(), running_var_after=var.numpy())
        out.append(one)
    return out


def layer_norm():
    out = []
    for name, shape, eps in [
        ("small", (5, 7), 1e-5),
        ("one_row", (1, 3), 1e-5),
        ("three_dimensions", (2, 3, 5), 1e-5),
        ("past_a_workgroup", (3, 67), 1e-5),
        ("large_eps", (3, 5), 1e-2),
        ("large_mean", (3, 9), 1e-5),
        ("equal_values", (2, 5), 1e-5),
    ]:
        v = Values("layer_norm." + name)
        width = shape[-1]
        x = v.grid(*shape)
        if name == "large_mean":
            x = x + 100.0
        if name == "equal_values":
            x[0] = 1.5
        inputs = {"x": x, "weight": v.grid(width), "bias": v.grid(width)}

        def definition(x, weight, bias):
            mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
            return (x - mean) / np.sqrt(var + eps) * weight + bias

        text = f"torch.nn.functional.layer_norm(x, ({width},), weight, bias, eps={eps})"
        out.append(differentiable(
            name, text, {"normalized_shape": width, "eps": eps},
            lambda x, weight, bias: F.layer_norm(x, (width,), weight, bias, eps), definition, inputs))
    return out


GROUPS = {f.__name__: f for f in [batch_norm, layer_norm]}
