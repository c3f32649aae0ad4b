"""Optimizers: parameters after each of several steps on given gradients."""

import numpy as np
import torch

from cases import Values, case, close

STEPS = 6


def sgd_definition(p, grads, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    buf = None
    for g in grads:
        g = g + weight_decay * p
        if momentum:
            buf = g if buf is None else momentum * buf + g
            g = g + momentum * buf if nesterov else buf
        p = p - lr * g
        yield p


def adam_definition(p, grads, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled=False):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        if decoupled:
            p = p - lr * weight_decay * p
        else:
            g = g + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        p = p - lr * m_hat / (np.sqrt(v_hat) + eps)
        yield p


def adamw_definition(p, grads, **options):
    return adam_definition(p, grads, decoupled=True, **options)


def rmsprop_definition(p, grads, lr, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0):
    v, buf = np.zeros_like(p), np.zeros_like(p)
    for g in grads:
        g = g + weight_decay * p
        v = alpha * v + (1 - alpha) * g * g
        buf = momentum * buf + g / (np.sqrt(v) + eps)
        p = p - lr * buf
        yield p


# torch's names of the state, and ours in the file.
STATE = {"momentum_buffer": "momentum", "exp_avg": "exp_avg", "exp_avg_sq": "exp_avg_sq", "square_avg": "square_avg"}


def trace(optimizer, options, p0, grads, dtype):
    p = torch.nn.Parameter(torch.tensor(p0, dtype=dtype))
    opt = optimizer([p], **options)
    rows = []
    for g in grads:
        p.grad = torch.tensor(g, dtype=dtype)
        opt.step()
        rows.append(p.detach().double().numpy().copy())
    state = {"after_" + STATE[k]: s.double().numpy() for k, s in opt.state[p].items() if k in STATE and s is not None}
    return np.stack(rows), state


def make(group, optimizer, definition, defaults, variants):
    def build():
        out = []
        for name, n, options in variants:
            options = {**defaults, **options}
            v = Values(f"{group}.{name}")
            p0, grads = v.grid(n), v.grid(STEPS, n)
            if name == "zero_gradients":
                # The first steps see no gradient at all, one element never does.
                grads[:2] = 0.0
                grads[:, 0] = 0.0
            params, state = trace(optimizer, options, p0, grads, torch.float64)
            close(f"{group}.{name}: definition", params, np.stack(list(definition(p0, grads, **options))), 1e-12)
            close(f"{group}.{name}: float32", trace(optimizer, options, p0, grads, torch.float32)[0], params, 1e-5)

            stored = dict(options, steps=STEPS)
            if "betas" in stored:
                stored["beta1"], stored["beta2"] = stored.pop("betas")
            text = ", ".join(f"{k}={a}" for k, a in options.items())
            out.append(case(name, f"torch.optim.{optimizer.__name__}([param], {text})", stored,
                            {"param": p0, "grad": grads, "after": params, **state}))
        return out

    return build


ADAM = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8}

GROUPS = {
    "sgd": make("sgd", torch.optim.SGD, sgd_definition, {"lr": 0.1, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}, [
        ("plain", 7, {}),
        ("plain_past_a_workgroup", 67, {}),
        ("weight_decay", 7, {"weight_decay": 0.1}),
        ("momentum", 7, {"momentum": 0.9}),
        ("momentum_weight_decay", 7, {"momentum": 0.9, "weight_decay": 0.1}),
        ("nesterov", 7, {"momentum": 0.9, "nesterov": True}),
        ("nesterov_weight_decay", 67, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        ("zero_gradients", 5, {"momentum": 0.9}),
    ]),
    "adam": make("adam", torch.optim.Adam, adam_definition, {**ADAM, "weight_decay": 0.0}, [
        ("plain", 7, {}),
        ("plain_past_a_workgroup", 67, {}),
        ("weight_decay", 7, {"weight_decay": 0.1}),
        ("betas", 7, {"betas": (0.8, 0.99)}),
        ("large_eps", 7, {"eps": 0.1}),
        ("zero_gradients", 5, {}),
    ]),
    "adamw": make("adamw", torch.optim.AdamW, adamw_definition, {**ADAM, "weight_decay": 0.01}, [
        ("plain", 7, {}),
        ("past_a_workgroup", 67, {"weight_decay": 0.1}),
        ("no_weight_decay", 7, {"weight_decay": 0.0}),
        ("weight_decay", 7, {"weight_decay": 0.1}),
        ("betas_eps", 7, {"betas": (0.8, 0.99), "eps": 0.1}),
        ("zero_gradients", 5, {}),
    ]),
    "rmsprop": make("rmsprop", torch.optim.RMSprop, rmsprop_definition, {"lr": 0.01, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0}, [
        ("plain", 7, {}),
        ("plain_past_a_workgroup", 67, {}),
        ("alpha_eps", 7, {"alpha": 0.9, "eps": 0.1}),
        ("weight_decay", 7, {"weight_decay": 0.1}),
        ("momentum", 7, {"momentum": 0.9}),
        ("momentum_weight_decay", 7, {"momentum": 0.9, "weight_decay": 0.1}),
        ("zero_gradients", 5, {}),
    ]),
}
