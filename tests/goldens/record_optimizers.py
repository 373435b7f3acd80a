#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records what PyTorch's optimizers, schedules and clipping do in float64, step by step.

Writes optimizers.json beside this file. Recorded with PyTorch 1.13; run it again only to add cases.
"""
import json
import math
import os

import torch

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
ROWS, COLUMNS, STEPS, NAMED = 7, 3, 12, 5


def rounded(tensor):
    return [float("%.10g" % x) for x in tensor.detach().reshape(-1).tolist()]


# Inputs are rounded to float32 so that eddy starts from the same numbers.
def random(*shape):
    return torch.randn(*shape).float().double()


start = random(ROWS, COLUMNS)
dense_gradients = [random(ROWS, COLUMNS) * 2 for _ in range(STEPS)]
# Row-sparse gradients: indices repeat, and each step leaves out some rows.
indices = [torch.randint(0, ROWS, (NAMED,)) for _ in range(STEPS)]
indices[0] = torch.tensor([3, 1, 3, 3, 6])
rows = [random(NAMED, COLUMNS) * 2 for _ in range(STEPS)]


def scattered(step):
    return torch.zeros(ROWS, COLUMNS).index_add_(0, indices[step], rows[step])


def run(make, gradient_of, clip=None, schedule=None):
    parameter = torch.nn.Parameter(start.clone())
    optimizer = make([parameter])
    scheduler = schedule(optimizer) if schedule else None
    result, norms = [], []
    for step in range(STEPS):
        parameter.grad = gradient_of(step).clone()
        if clip:
            norms.append(float(clip(parameter)))
        optimizer.step()
        if scheduler:
            scheduler.step()
        result.append(rounded(parameter))
    return (result, norms) if clip else result


def dense(step):
    return dense_gradients[step]


def sparse(step):
    return torch.sparse_coo_tensor(indices[step][None], rows[step], (ROWS, COLUMNS))


class KerasRmsprop(torch.optim.Optimizer):
    """p -= lr * g / sqrt(a + eps), as Keras and TensorFlow have it."""

    def __init__(self, parameters, lr, rho, eps):
        super().__init__(parameters, {"lr": lr, "rho": rho, "eps": eps})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                a = self.state[p].setdefault("a", torch.zeros_like(p))
                a.mul_(group["rho"]).add_((1 - group["rho"]) * p.grad ** 2)
                p -= group["lr"] * p.grad / (a + group["eps"]).sqrt()


optim = torch.optim
rules = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "sgd_decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.3),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.8),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True),
    "nesterov_decay": lambda p: optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.3),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.05, alpha=0.9),
    "rmsprop_centered": lambda p: optim.RMSprop(p, lr=0.05, alpha=0.9, eps=1e-3, centered=True),
    "rmsprop_momentum": lambda p: optim.RMSprop(p, lr=0.05, alpha=0.9, momentum=0.7),
    "rmsprop_all": lambda p: optim.RMSprop(p, lr=0.05, alpha=0.9, eps=1e-3, momentum=0.7, centered=True,
                                           weight_decay=0.3),
    "rmsprop_keras": lambda p: KerasRmsprop(p, lr=0.05, rho=0.9, eps=1e-2),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.2),
    "adagrad_options": lambda p: optim.Adagrad(p, lr=0.2, lr_decay=0.1, initial_accumulator_value=0.5),
    "adagrad_decay": lambda p: optim.Adagrad(p, lr=0.2, weight_decay=0.3),
    "adam": lambda p: optim.Adam(p, lr=0.1),
    "adam_options": lambda p: optim.Adam(p, lr=0.1, betas=(0.5, 0.75), eps=0.1, weight_decay=0.3),
    "adamw": lambda p: optim.AdamW(p, lr=0.1, weight_decay=0.3),
}
sparse_rules = {  # PyTorch's own row-sparse updates
    "sgd": rules["sgd"],
    "adagrad": rules["adagrad"],
    "adagrad_options": rules["adagrad_options"],
    "adam_lazy": lambda p: optim.SparseAdam(p, lr=0.1),
}

by_norm, norms = run(rules["adam_options"], dense, clip=lambda p: torch.nn.utils.clip_grad_norm_([p], 8.0))
sgd_by_norm, _ = run(rules["sgd"], dense, clip=lambda p: torch.nn.utils.clip_grad_norm_([p], 8.0))
sparse_by_norm, sparse_norms = run(rules["sgd"], scattered,
                                   clip=lambda p: torch.nn.utils.clip_grad_norm_([p], 4.0))
by_value, _ = run(rules["sgd"], dense, clip=lambda p: torch.nn.utils.clip_grad_value_([p], 0.75) or 0.0)
sparse_by_value, _ = run(rules["sgd"], scattered, clip=lambda p: torch.nn.utils.clip_grad_value_([p], 0.75) or 0.0)

lr_scheduler = optim.lr_scheduler
BASE = 0.4
schedules = {
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "step": lambda o: lr_scheduler.StepLR(o, 4, 0.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.05),
    "linear": lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, total_iters=15),
    "piecewise": lambda o: lr_scheduler.MultiStepLR(o, [3, 11], 0.1),
    "warm_up_exponential": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.25, 1.0, total_iters=6), lr_scheduler.ExponentialLR(o, 0.9)], [6]),
    "floor": lambda o: lr_scheduler.LambdaLR(o, lambda t: max(0.1 / BASE, 0.8 ** (t / 2))),
}


def rates(make):
    optimizer = optim.SGD([torch.nn.Parameter(start.clone())], lr=BASE)
    scheduler = make(optimizer)
    result = []
    for _ in range(21):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


losses = [5, 4, 4, 4, 4, 3, 3.0001, 3.0002, 3, 3, 2.9999, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2]


def plateau(values, **options):
    optimizer = optim.SGD([torch.nn.Parameter(start.clone())], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    result = []
    for value in values:
        scheduler.step(value)
        result.append(optimizer.param_groups[0]["lr"])
    return result


average, averages, warm_averages = start.clone(), [], []
warm = start.clone()
for t, parameter in enumerate(run(rules["sgd"], dense)):
    now = torch.tensor(parameter).reshape(ROWS, COLUMNS)
    average = 0.9 * average + 0.1 * now
    decay = min(0.9, (1 + t + 1) / (10 + t + 1))
    warm = decay * warm + (1 - decay) * now
    averages.append(rounded(average))
    warm_averages.append(rounded(warm))

golden = {
    "shape": [ROWS, COLUMNS],
    "start": rounded(start),
    "gradients": [rounded(g) for g in dense_gradients],
    "indices": [i.tolist() for i in indices],
    "rows": [rounded(r) for r in rows],
    "dense": {name: run(make, dense) for name, make in rules.items()},
    "scattered": {name: run(make, scattered) for name, make in rules.items()},
    "sparse": {name: run(make, sparse) for name, make in sparse_rules.items()},
    "clip": {
        "norm_adam": by_norm, "norm_sgd": sgd_by_norm, "norms": norms,
        "norm_sparse_sgd": sparse_by_norm, "sparse_norms": sparse_norms,
        "value_sgd": by_value, "value_sparse_sgd": sparse_by_value,
    },
    "scheduled_adam": run(rules["adam"], dense, schedule=lambda o: lr_scheduler.ExponentialLR(o, 0.8)),
    "base_rate": BASE,
    "schedules": {name: rates(make) for name, make in schedules.items()},
    "losses": losses,
    "plateau": {
        "default": plateau(losses, factor=0.5, patience=2),
        "cooldown": plateau(losses, factor=0.5, patience=1, cooldown=3, min_lr=0.2),
        "maximize": plateau([-x + 10 for x in losses], mode="max", factor=0.1, patience=3, threshold=0.01),
    },
    "average": averages,
    "warm_average": warm_averages,
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "optimizers.json")
with open(path, "w") as file:
    # A row of numbers a line.
    text = json.dumps(golden, allow_nan=False).replace("], [", "],\n[").replace("}, ", "},\n")
    file.write(text + "\n")
assert math.isfinite(sum(norms))
