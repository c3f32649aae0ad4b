"""Layers: forward values and all gradients."""

import numpy as np
import torch
import torch.nn.functional as F

from cases import Values, differentiable


def linear():
    def definition(x, weight, bias=0.0):
        return x @ weight.T + bias

    out = []
    for name, lead, fan_in, fan_out, has_bias in [
        ("small", (3,), 5, 7, True),
        ("no_bias", (3,), 5, 7, False),
        ("one_row_one_output", (1,), 9, 1, True),
        ("past_a_workgroup", (3,), 67, 5, True),
        ("three_dimensions", (2, 3), 5, 3, True),
    ]:
        v = Values("linear." + name)
        inputs = {"x": v.grid(*lead, fan_in), "weight": v.grid(fan_out, fan_in)}
        if has_bias:
            inputs["bias"] = v.grid(fan_out)
        options = {"in_features": fan_in, "out_features": fan_out, "bias": has_bias}
        text = "torch.nn.functional.linear(x, weight, bias)"
        out.append(differentiable(name, text, options, lambda x, weight, bias=None: F.linear(x, weight, bias), definition, inputs))
    return out


def pad2d(x, p, fill=0.0):
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=fill)


def conv2d_definition(stride, padding, dilation, groups):
    def definition(x, weight, bias=None):
        n, cin, h, w = x.shape
        cout, per, k, _ = weight.shape
        oh = (h + 2 * padding - dilation * (k - 1) - 1) // stride + 1
        ow = (w + 2 * padding - dilation * (k - 1) - 1) // stride + 1
        xp = pad2d(x, padding)
        y = np.zeros((n, cout, oh, ow))
        for b, o, i, j in np.ndindex(y.shape):
            first = o // (cout // groups) * per
            for c, r, s in np.ndindex(per, k, k):
                y[b, o, i, j] += weight[o, c, r, s] * xp[b, first + c, i * stride + r * dilation, j * stride + s * dilation]
        return y if bias is None else y + bias[None, :, None, None]

    return definition


CONV_GRID = 16


def conv2d():
    out = []
    for name, image, cin, cout, k, stride, padding, dilation, groups, has_bias in [
        ("plain", (2, 5, 6), 3, 5, 3, 1, 0, 1, 1, True),
        ("no_bias", (1, 5, 4), 2, 3, 3, 1, 0, 1, 1, False),
        ("kernel_1", (2, 3, 5), 7, 5, 1, 1, 0, 1, 1, True),
        ("kernel_5_one_channel", (1, 9, 11), 1, 3, 5, 1, 0, 1, 1, True),
        ("kernel_2_even", (1, 5, 5), 2, 3, 2, 1, 1, 1, 1, True),
        ("stride_2_padding_1", (2, 7, 6), 3, 5, 3, 2, 1, 1, 1, True),
        ("stride_3_leaves_rest", (1, 9, 8), 2, 3, 2, 3, 0, 1, 1, True),
        ("dilation_2_padding_2", (1, 7, 5), 2, 3, 3, 1, 2, 2, 1, True),
        ("groups_2", (1, 5, 5), 4, 6, 3, 1, 1, 1, 2, True),
        ("depthwise", (2, 6, 5), 5, 5, 3, 2, 1, 1, 5, True),
        ("depthwise_twice_as_many", (1, 5, 6), 3, 6, 3, 1, 0, 1, 3, True),
        ("everything", (1, 9, 7), 4, 6, 3, 2, 3, 2, 2, True),
    ]:
        v = Values("conv2d." + name)
        b, h, w = image
        inputs = {"x": v.grid(b, cin, h, w, per_one=CONV_GRID), "weight": v.grid(cout, cin // groups, k, k, per_one=CONV_GRID)}
        if has_bias:
            inputs["bias"] = v.grid(cout, per_one=CONV_GRID)
        options = {"in_channels": cin, "out_channels": cout, "kernel": k, "stride": stride, "padding": padding,
                   "dilation": dilation, "groups": groups, "bias": has_bias}

        def call(x, weight, bias=None):
            return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

        text = f"torch.nn.functional.conv2d(x, weight, bias, stride={stride}, padding={padding}, dilation={dilation}, groups={groups})"
        out.append(differentiable(name, text, options, call, conv2d_definition(stride, padding, dilation, groups), inputs,
                                  per_one=CONV_GRID))
    return out


def conv_transpose2d_definition(stride, padding, output_padding, dilation, groups):
    def definition(x, weight, bias=None):
        n, cin, h, w = x.shape
        _, per, k, _ = weight.shape
        oh = (h - 1) * stride - 2 * padding + dilation * (k - 1) + output_padding + 1
        ow = (w - 1) * stride - 2 * padding + dilation * (k - 1) + output_padding + 1
        y = np.zeros((n, per * groups, oh, ow))
        for b, c, i, j in np.ndindex(x.shape):
            first = c // (cin // groups) * per
            for o, r, s in np.ndindex(per, k, k):
                p, q = i * stride + r * dilation - padding, j * stride + s * dilation - padding
                if 0 <= p < oh and 0 <= q < ow:
                    y[b, first + o, p, q] += x[b, c, i, j] * weight[c, o, r, s]
        return y if bias is None else y + bias[None, :, None, None]

    return definition


def conv_transpose2d():
    out = []
    for name, image, cin, cout, k, stride, padding, output_padding, dilation, groups, has_bias in [
        ("plain", (2, 3, 5), 3, 2, 3, 1, 0, 0, 1, 1, True),
        ("no_bias", (1, 3, 4), 2, 3, 3, 1, 0, 0, 1, 1, False),
        ("kernel_2_stride_2", (2, 3, 5), 3, 5, 2, 2, 0, 0, 1, 1, True),
        ("stride_2_padding_1", (1, 5, 3), 3, 2, 3, 2, 1, 0, 1, 1, True),
        ("output_padding_1", (2, 3, 4), 3, 2, 3, 2, 1, 1, 1, 1, True),
        ("stride_past_kernel", (1, 3, 3), 2, 3, 2, 3, 0, 2, 1, 1, True),
        ("dilation_2", (1, 4, 3), 2, 3, 3, 1, 1, 0, 2, 1, True),
        ("groups_2", (2, 3, 3), 4, 6, 3, 1, 1, 0, 1, 2, True),
        ("depthwise", (1, 3, 5), 5, 5, 3, 2, 1, 1, 1, 5, True),
        ("everything", (2, 3, 4), 4, 6, 3, 2, 2, 1, 2, 2, True),
    ]:
        v = Values("conv_transpose2d." + name)
        b, h, w = image
        inputs = {"x": v.grid(b, cin, h, w, per_one=CONV_GRID), "weight": v.grid(cin, cout // groups, k, k, per_one=CONV_GRID)}
        if has_bias:
            inputs["bias"] = v.grid(cout, per_one=CONV_GRID)
        options = {"in_channels": cin, "out_channels": cout, "kernel": k, "stride": stride, "padding": padding,
                   "output_padding": output_padding, "dilation": dilation, "groups": groups, "bias": has_bias}

        def call(x, weight, bias=None):
            return F.conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation)

        text = (f"torch.nn.functional.conv_transpose2d(x, weight, bias, stride={stride}, padding={padding}, "
                f"output_padding={output_padding}, groups={groups}, dilation={dilation})")
        definition = conv_transpose2d_definition(stride, padding, output_padding, dilation, groups)
        out.append(differentiable(name, text, options, call, definition, inputs,
                                  per_one=CONV_GRID))
    return out


def windows(x, k, stride, padding, fill):
    """All windows of x, as (n, c, rows, columns, k, k)."""
    n, c, h, w = x.shape
    oh, ow = (h + 2 * padding - k) // stride + 1, (w + 2 * padding - k) // stride + 1
    xp = pad2d(x, padding, fill)
    out = np.zeros((n, c, oh, ow, k, k))
    for i, j in np.ndindex(oh, ow):
        out[:, :, i, j] = xp[:, :, i * stride:i * stride + k, j * stride:j * stride + k]
    return out


POOLS = [
    ("kernel_2", (2, 3, 6, 8), 2, 2, 0),
    ("kernel_2_leaves_rest", (1, 3, 5, 7), 2, 2, 0),
    ("kernel_3_overlapping", (2, 3, 7, 5), 3, 2, 0),
    ("kernel_3_stride_1_padding_1", (1, 2, 5, 5), 3, 1, 1),
    ("kernel_3_stride_2_padding_1", (2, 3, 7, 6), 3, 2, 1),
    ("stride_past_kernel", (1, 3, 8, 7), 2, 3, 0),
]


def max_pool2d():
    out = []
    for name, shape, k, stride, padding in POOLS:
        x = Values("max_pool2d." + name).distinct(*shape)
        options = {"kernel": k, "stride": stride, "padding": padding}
        text = f"torch.nn.functional.max_pool2d(x, {k}, stride={stride}, padding={padding})"
        out.append(differentiable(
            name, text, options, lambda x: F.max_pool2d(x, k, stride, padding),
            lambda x: windows(x, k, stride, padding, -np.inf).max(axis=(4, 5)), {"x": x}))
    return out


def avg_pool2d():
    def definition(k, stride, padding, include):
        def fn(x):
            count = windows(np.ones_like(x), k, stride, padding, 1.0 if include else 0.0).sum(axis=(4, 5))
            return windows(x, k, stride, padding, 0.0).sum(axis=(4, 5)) / count

        return fn

    out = []
    for name, shape, k, stride, padding in POOLS:
        for include in [True, False] if padding else [True]:
            full = name + ("" if include else "_without_pad")
            x = Values("avg_pool2d." + full).grid(*shape)
            options = {"kernel": k, "stride": stride, "padding": padding, "count_include_pad": include}
            text = f"torch.nn.functional.avg_pool2d(x, {k}, stride={stride}, padding={padding}, count_include_pad={include})"
            out.append(differentiable(
                full, text, options, lambda x: F.avg_pool2d(x, k, stride, padding, count_include_pad=include),
                definition(k, stride, padding, include), {"x": x}))
    return out


def global_avg_pool():
    out = []
    for name, shape in [("small", (2, 3, 5, 7)), ("one_pixel", (3, 5, 1, 1)), ("past_a_workgroup", (1, 3, 9, 11))]:
        x = Values("global_avg_pool." + name).grid(*shape)
        out.append(differentiable(
            name, "torch.nn.functional.adaptive_avg_pool2d(x, 1)", {}, lambda x: F.adaptive_avg_pool2d(x, 1),
            lambda x: x.mean(axis=(2, 3), keepdims=True), {"x": x}))
    return out


def embedding():
    out = []
    for name, rows, width, shape in [("repeated", 7, 3, (2, 5)), ("all_the_same", 5, 3, (7,)), ("past_a_workgroup", 11, 5, (67,)), ("one", 3, 7, (1,))]:
        v = Values("embedding." + name)
        indices = v.indices(rows, *shape)
        if name == "all_the_same":
            indices[...] = rows - 1
        inputs = {"indices": indices, "weight": v.grid(rows, width)}
        options = {"num_embeddings": rows, "embedding_dim": width}
        out.append(differentiable(
            name, "torch.nn.functional.embedding(indices, weight)", options,
            lambda indices, weight: F.embedding(indices, weight), lambda indices, weight: weight[indices], inputs))
    return out


GROUPS = {f.__name__: f for f in [linear, conv2d, conv_transpose2d, max_pool2d, avg_pool2d, global_avg_pool, embedding]}
