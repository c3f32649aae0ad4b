"""What a training loop does between gradients and weights: schedules of the learning
rate, clipping, groups of parameters, and moving averages."""

import math
import warnings

import numpy as np
import torch

from cases import Values, case, close

BASE = 0.3


def rates(make, steps):
    """The rate of each update, the schedule told after each, and of one more."""
    p = torch.nn.Parameter(torch.zeros(1))
    opt = torch.optim.SGD([p], lr=BASE)
    schedule = make(opt)
    out = []
    for _ in range(steps + 1):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        if isinstance(schedule, torch.optim.lr_scheduler.OneCycleLR) and len(out) == steps:
            break  # it has no rate beyond its last
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schedule.step()
    return np.array(out)


def one_cycle(steps, rise, start, final):
    up = rise * steps - 1

    def at(s):
        if s <= up:
            a, b, t = start, 1.0, s / up
        else:
            a, b, t = 1.0, final, (s - up) / (steps - 1 - up)
        return a + (b - a) * (1 - math.cos(math.pi * t)) / 2

    return lambda s: at(min(s, steps - 1))


def schedules():
    out = []
    lr = torch.optim.lr_scheduler
    for name, steps, options, make, formula in [
        ("linear", 10, {"final": 0.25}, lambda o: lr.LinearLR(o, 1.0, 0.25, 10), lambda s: 1 - 0.75 * s / 10),
        ("step", 20, {"every": 6, "factor": 0.5}, lambda o: lr.StepLR(o, 6, 0.5), lambda s: 0.5 ** (s // 6)),
        ("exponential", 12, {"final": 0.01}, lambda o: lr.ExponentialLR(o, 0.01 ** (1 / 12)), lambda s: 0.01 ** (s / 12)),
        ("cosine", 16, {"final": 0.0}, lambda o: lr.CosineAnnealingLR(o, 16), lambda s: (1 + math.cos(math.pi * s / 16)) / 2),
        ("cosine_final", 16, {"final": 0.1}, lambda o: lr.CosineAnnealingLR(o, 16, BASE * 0.1), lambda s: 0.1 + 0.9 * (1 + math.cos(math.pi * s / 16)) / 2),
        ("polynomial", 10, {"power": 2.0}, lambda o: lr.PolynomialLR(o, 10, 2.0), lambda s: (1 - s / 10) ** 2),
        ("polynomial_half", 10, {"power": 0.5}, lambda o: lr.PolynomialLR(o, 10, 0.5), lambda s: (1 - s / 10) ** 0.5),
        ("one_cycle", 20, {"rise": 0.3, "start": 0.04, "final": 4e-6}, lambda o: lr.OneCycleLR(o, BASE, 20), one_cycle(20, 0.3, 0.04, 4e-6)),
        ("one_cycle_long", 57, {"rise": 0.45, "start": 0.1, "final": 0.001}, lambda o: lr.OneCycleLR(o, BASE, 57, pct_start=0.45, div_factor=10.0, final_div_factor=100.0), one_cycle(57, 0.45, 0.1, 0.001)),
    ]:
        found = rates(make, steps)
        close(f"schedule.{name}: formula", found, np.array([BASE * formula(s) for s in range(len(found))]), 1e-9)
        text = type(make(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE))).__name__
        out.append(case(name, f"torch.optim.lr_scheduler.{text}", dict(options, base=BASE, steps=steps), {"rate": found}))
    return out


def plateau():
    out = []
    for name, losses, options in [
        ("falls", [1, 0.875, 0.75, 0.625, 0.5], {"factor": 0.5, "patience": 1, "cooldown": 0, "min_lr": 0.0, "threshold": 0.0}),
        ("stays", [1, 1, 1, 1, 1, 1, 1, 1], {"factor": 0.5, "patience": 1, "cooldown": 0, "min_lr": 0.0, "threshold": 0.0}),
        ("cooldown", [1, 1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.625, 0.625], {"factor": 0.25, "patience": 1, "cooldown": 2, "min_lr": 0.0, "threshold": 0.0}),
        ("threshold", [1, 0.9375, 0.90625, 0.859375, 0.84375, 0.6875, 0.671875, 0.65625, 0.640625], {"factor": 0.5, "patience": 2, "cooldown": 0, "min_lr": 0.1, "threshold": 0.125}),
        ("least", [1, 2, 3, 4, 5, 6, 7, 8], {"factor": 0.5, "patience": 1, "cooldown": 0, "min_lr": 0.1, "threshold": 0.0}),
    ]:
        opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, threshold_mode="abs", **options)
        after = []
        for loss in losses:
            schedule.step(loss)
            after.append(opt.param_groups[0]["lr"])
        out.append(case(name, "torch.optim.lr_scheduler.ReduceLROnPlateau", dict(options, base=BASE), {"loss": np.array(losses, float), "rate": np.array(after)}))
    return out


def clip():
    out = []
    for name, sizes, norm, value in [
        ("norm", [7], 1.5, 0.0),
        ("norm_of_many", [67, 1, 130, 5, 3, 64, 9, 2], 2.0, 0.0),
        ("norm_below", [5, 3], 100.0, 0.0),
        ("value", [67, 3], 0.0, 0.75),
        ("both", [67, 3], 2.0, 0.75),
    ]:
        v = Values(f"clip.{name}")
        grads = [v.grid(n) for n in sizes]
        params = [torch.nn.Parameter(torch.zeros(n, dtype=torch.float64)) for n in sizes]
        for p, g in zip(params, grads):
            p.grad = torch.tensor(g)
        want = np.concatenate(grads)
        if value:
            torch.nn.utils.clip_grad_value_(params, value)
            want = np.clip(want, -value, value)
        if norm:
            torch.nn.utils.clip_grad_norm_(params, norm)
            want = want * min(1, norm / (np.linalg.norm(want) + 1e-6))
        found = np.concatenate([p.grad.numpy() for p in params])
        close(f"clip.{name}: definition", found, want, 1e-12)
        out.append(case(name, "torch.nn.utils.clip_grad_value_, clip_grad_norm_", {"norm": norm, "value": value},
                        {"sizes": np.array(sizes), "grad": np.concatenate(grads), "after": found}))
    return out


def groups():
    """Two parameters, the second in a group with a rate and decay of its own."""
    out = []
    for name, optimizer, options in [
        ("sgd", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}),
        ("adamw", torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
        ("adam", torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1}),
        ("rmsprop", torch.optim.RMSprop, {"lr": 0.01, "weight_decay": 0.1}),
    ]:
        v = Values(f"groups.{name}")
        steps, sizes = 5, [67, 9]
        first, grads = [v.grid(n) for n in sizes], [v.grid(steps, n) for n in sizes]
        params = [torch.nn.Parameter(torch.tensor(p)) for p in first]
        opt = optimizer([{"params": params[:1]}, {"params": params[1:], "lr": options["lr"] * 0.25, "weight_decay": 0.0}], **options)
        for s in range(steps):
            for p, g in zip(params, grads):
                p.grad = torch.tensor(g[s])
            opt.step()
        tensors = {}
        for i in range(2):
            tensors.update({f"param{i}": first[i], f"grad{i}": grads[i], f"after{i}": params[i].detach().numpy()})
        out.append(case(name, f"torch.optim.{optimizer.__name__}, two groups", dict(options, steps=steps, factor=0.25), tensors))
    return out


GROUPS = {"schedule": schedules, "plateau": plateau, "clip": clip, "groups": groups}
