#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records values and gradients of PyTorch in float64 as goldens for eddy's ops.

Usage: record.py [folder]    (needs PyTorch; the tests read the recorded files and do not run this script)

Each file holds {case: {"inputs": [...], "outputs": [...], "weights": [...], "gradients": [...]}}; an array is
{"dtype", "shape", "values"}. The gradients are those of sum_i sum(weights[i] * outputs[i]) with respect to the f32
inputs, null for inputs without one. f32 inputs lie on a grid of 2^-12, so that they are exact in f32.
Inputs are in eddy's layouts: sequences [time, batch, features], weights [in, out].
"""
import json
import pathlib
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(20151104)
groups = {}


def grid(*shape, low=-2.0, high=2.0):
    x = torch.rand(shape, generator=generator) * (high - low) + low
    return torch.round(x * 4096) / 4096


def integers(*shape, low=0, high=10):
    return torch.randint(low, high, shape, generator=generator)


def array(x):
    dtype = {torch.float64: "f32", torch.int64: "i32", torch.bool: "bool"}[x.dtype]
    return {"dtype": dtype, "shape": list(x.shape), "values": x.detach().reshape(-1).tolist()}


def record(name, function, *inputs, constant=()):
    """`constant` lists f32 inputs that are given, not differentiated (masks, weights)."""
    inputs = [x.clone() for x in inputs]
    for i, x in enumerate(inputs):
        if x.dtype == torch.float64 and i not in constant:
            x.requires_grad_(True)
    outputs = function(*inputs)
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    weights = [grid(*y.shape) for y in outputs]
    loss = sum((w * y).sum() for w, y in zip(weights, outputs) if y.dtype == torch.float64 and y.requires_grad)
    smooth = isinstance(loss, torch.Tensor)  # not for an argmax
    wanted = [x for x in inputs if smooth and x.requires_grad]
    found = list(torch.autograd.grad(loss, wanted)) if wanted else []
    gradients = [array(found.pop(0)) if smooth and x.requires_grad else None for x in inputs]
    group = groups.setdefault(name.split("/")[0], {})
    assert name not in group, name
    group[name] = {
        "inputs": [array(x) for x in inputs],
        "outputs": [array(y) for y in outputs],
        "weights": [array(w) for w in weights],
        "gradients": gradients,
    }


def unary():
    x = grid(3, 7, low=-4, high=4)
    positive = grid(3, 7, low=0.125, high=6)
    record("unary/neg", torch.neg, x)
    record("unary/exp", torch.exp, x)
    record("unary/log", torch.log, positive)
    record("unary/sqrt", torch.sqrt, positive)
    record("unary/square", torch.square, x)
    record("unary/abs", torch.abs, x)
    record("unary/tanh", torch.tanh, x)
    record("unary/sigmoid", torch.sigmoid, x)
    record("unary/relu", torch.relu, x)
    record("unary/hard_sigmoid", lambda v: torch.clamp(0.2 * v + 0.5, 0, 1), x)
    record("unary/gelu", F.gelu, x)
    record("unary/gelu_tanh", lambda v: F.gelu(v, approximate="tanh"), x)


def binary():
    a, b = grid(3, 1, 5), grid(4, 5, low=0.25, high=2)
    record("binary/add", torch.add, a, b)
    record("binary/sub", torch.sub, a, b)
    record("binary/mul", torch.mul, a, b)
    record("binary/div", torch.div, a, b)
    record("binary/maximum", torch.maximum, a, b)
    record("binary/minimum", torch.minimum, a, b)
    record("binary/where", lambda v, w: torch.where(v < w, v, w * 2), a, b)


def softmax():
    x = grid(3, 4, 5, low=-6, high=6)
    for axis in (0, 1, -1):
        record(f"softmax/axis{axis}", lambda v: torch.softmax(v, axis), x)
        record(f"log_softmax/axis{axis}", lambda v: torch.log_softmax(v, axis), x)
        record(f"logsumexp/axis{axis}", lambda v: torch.logsumexp(v, axis), x)
    # Logits far apart: a form without the shift by the maximum overflows or yields log 0.
    wide = grid(4, 6, low=-300, high=300)
    record("softmax/wide", lambda v: torch.softmax(v, -1), wide)
    record("log_softmax/wide", lambda v: torch.log_softmax(v, -1), wide)


def cross_entropy():
    logits = grid(5, 3, 11, low=-5, high=5)
    targets = integers(5, 3, high=11)
    ignored = targets.clone()
    ignored[1, 2] = ignored[4, 0] = ignored[0, 1] = -1
    weights = grid(5, 3, low=0, high=2)
    weights[2, 1] = 0.0

    def each(v, t, smoothing=0.0):
        return F.cross_entropy(v.reshape(-1, 11), t.reshape(-1), ignore_index=-1, reduction="none",
                               label_smoothing=smoothing).reshape(t.shape)

    for smoothing, suffix in ((0.0, ""), (0.1, "_smoothed")):
        for reduction in ("mean", "sum", "none"):
            def plain(v, t):
                loss, kept = each(v, t, smoothing), (t >= 0).to(v)
                return {"mean": loss.sum() / kept.sum(), "sum": loss.sum(), "none": loss}[reduction]

            def weighted(v, t, w):
                loss, kept = each(v, t, smoothing) * w, (t >= 0).to(v) * w
                return {"mean": loss.sum() / kept.sum(), "sum": loss.sum(), "none": loss}[reduction]

            record(f"cross_entropy/{reduction}{suffix}", plain, logits, targets)
            record(f"cross_entropy/{reduction}_ignored{suffix}", plain, logits, ignored)
            record(f"cross_entropy/{reduction}_weighted{suffix}", weighted, logits, ignored, weights, constant=(2,))
    wide = grid(4, 6, low=-300, high=300)
    record("cross_entropy/wide", lambda v, t: F.cross_entropy(v, t), wide, integers(4, high=6))


def losses():
    prediction, target, weight = grid(4, 5), grid(4, 5), grid(4, 5, low=0, high=2)
    record("mse/mean", F.mse_loss, prediction, target)
    record("mse/weighted", lambda p, t, w: (w * (p - t) ** 2).sum() / w.sum(), prediction, target, weight,
           constant=(2,))


def layer_norm():
    x, gain, bias = grid(4, 3, 9), grid(9, low=0.5, high=1.5), grid(9)
    record("layer_norm/1e-5", lambda v, g, b: F.layer_norm(v, (9,), g, b, 1e-5), x, gain, bias)
    record("layer_norm/1e-2", lambda v, g, b: F.layer_norm(v, (9,), g, b, 1e-2), x, gain, bias)


def matmul():
    for name, a, b in (
        ("plain", (5, 7), (7, 3)),
        ("batch", (4, 5, 7), (4, 7, 3)),
        ("broadcast_left", (5, 7), (4, 7, 3)),
        ("broadcast_right", (4, 5, 7), (7, 3)),
        ("broadcast_both", (2, 1, 5, 7), (3, 7, 3)),
    ):
        record(f"matmul/{name}", torch.matmul, grid(*a), grid(*b))
    for name, a, b in (("transpose_a", (7, 5), (7, 3)), ("transpose_b", (5, 7), (3, 7)),
                       ("transpose_both", (7, 5), (3, 7)), ("batch_transpose_both", (2, 7, 5), (2, 3, 7))):
        record(f"matmul/{name}",
               lambda v, w: torch.matmul(v.mT if name.endswith(("_a", "both")) else v,
                                         w.mT if name.endswith(("_b", "both")) else w), grid(*a), grid(*b))
    record("linear/bias", lambda x, w, b: x @ w + b, grid(4, 2, 6), grid(6, 5), grid(5))
    record("linear/tanh", lambda x, w, b: torch.tanh(x @ w + b), grid(4, 6, low=-1, high=1), grid(6, 5), grid(5))


def reductions():
    x = grid(3, 4, 5)
    tied = x.clone()
    tied[1] = tied[0]
    tied[:, 2] = tied[:, 0]
    for axes in ((0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)):
        for keep in (False, True):
            suffix = "axis" + "".join(map(str, axes)) + ("_keep" if keep else "")
            record(f"reduce/sum_{suffix}", lambda v: torch.sum(v, axes, keep), x)
            record(f"reduce/mean_{suffix}", lambda v: torch.mean(v, axes, keep), x)
            record(f"reduce/max_{suffix}", lambda v: torch.amax(v, axes, keep), x)
            record(f"reduce/min_{suffix}", lambda v: torch.amin(v, axes, keep), x)
    for axis in (0, 1, 2):
        record(f"reduce/argmax_axis{axis}", lambda v: torch.argmax(v, axis), x)
    # The gradient of a maximum reached more than once is shared evenly.
    record("reduce/max_tied", lambda v: torch.amax(v, 1), tied)
    record("reduce/min_tied", lambda v: torch.amin(v, 0), tied)


def lookups():
    x = grid(4, 9)
    for k in (1, 3, 9):
        record(f"top_k/{k}", lambda v: torch.topk(v, k, dim=-1, largest=True, sorted=True), x)
    tokens = integers(4, 3, high=6)
    tokens[0, 0] = tokens[3, 2] = 5
    record("embedding/repeated", lambda t, i: F.embedding(i, t), grid(6, 5), tokens)


def scaled(*shape):
    return grid(*shape, low=-0.75, high=0.75)


def lstm():
    def run(x, w_x, w_h, bias, h0, c0, lengths=None, reverse=False):
        inputs, hidden = w_x.shape[0], w_h.shape[0]
        net = torch.nn.LSTM(inputs, hidden, bidirectional=reverse)
        half = "_reverse" if reverse else ""
        for parameter in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            delattr(net, parameter + half)
        setattr(net, "weight_ih_l0" + half, w_x.t().contiguous())
        setattr(net, "weight_hh_l0" + half, w_h.t().contiguous())
        setattr(net, "bias_ih_l0" + half, bias)
        setattr(net, "bias_hh_l0" + half, torch.zeros_like(bias))
        pad = (lambda s: torch.stack([torch.zeros_like(s), s])) if reverse else (lambda s: s[None])
        feed = x if lengths is None else torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, (h, c) = net(feed, (pad(h0), pad(c0)))
        if lengths is not None:
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=x.shape[0])
        return (y[..., hidden:], h[1], c[1]) if reverse else (y, h[0], c[0])

    record_recurrent("lstm", run, gates=4, states=2)


def gru():
    def run(x, w_x, w_h, bias, bias_h, h0, lengths=None, reverse=False):
        inputs, hidden = w_x.shape[0], w_h.shape[0]
        net = torch.nn.GRU(inputs, hidden, bidirectional=reverse)
        half = "_reverse" if reverse else ""
        for parameter in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            delattr(net, parameter + half)
        setattr(net, "weight_ih_l0" + half, w_x.t().contiguous())
        setattr(net, "weight_hh_l0" + half, w_h.t().contiguous())
        setattr(net, "bias_ih_l0" + half, bias)
        setattr(net, "bias_hh_l0" + half, bias_h)
        pad = (lambda s: torch.stack([torch.zeros_like(s), s])) if reverse else (lambda s: s[None])
        feed = x if lengths is None else torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, h = net(feed, pad(h0))
        if lengths is not None:
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=x.shape[0])
        return (y[..., hidden:], h[1]) if reverse else (y, h[0])

    record_recurrent("gru", run, gates=3, states=1)


def record_recurrent(name, run, gates, states):
    """Inputs: x, w_x, w_h, bias (GRU: and the recurrent bias), h0 (LSTM: and c0), then the mask of the masked cases."""
    time, batch, inputs, hidden = 6, 4, 5, 3
    lengths = torch.tensor([6, 2, 4, 1])
    mask = (torch.arange(time)[:, None] < lengths[None, :]).to(torch.float64)
    arguments = [grid(time, batch, inputs), scaled(inputs, gates * hidden), scaled(hidden, gates * hidden),
                 scaled(gates * hidden)]
    if gates == 3:
        arguments.append(scaled(gates * hidden))
    arguments += [grid(batch, hidden, low=-1, high=1) for _ in range(states)]
    given = len(arguments)
    for reverse in (False, True):
        suffix = "reverse" if reverse else "forward"
        record(f"{name}/{suffix}", lambda *a: run(*a, reverse=reverse), *arguments)
        record(f"{name}/{suffix}_masked", lambda *a: run(*a[:given], lengths=lengths, reverse=reverse), *arguments,
               mask, constant=(given,))


def later_unary():
    """Recorded after the others, whose random numbers stay as they are."""
    x, wide = grid(3, 7, low=-4, high=4), grid(3, 7, low=-60, high=60)
    record("unary/sin", torch.sin, wide)
    record("unary/cos", torch.cos, wide)
    record("unary/expm1", torch.expm1, x)
    record("unary/log1p", torch.log1p, grid(3, 7, low=-0.75, high=6))
    record("unary/softplus", F.softplus, wide)
    halves = torch.round(x * 2) / 2
    for function in (torch.floor, torch.ceil, torch.round):
        record(f"unary/{function.__name__}", lambda v: function(v), torch.cat((x, halves)), constant=(0,))


def cumsum():
    x = grid(3, 4, 5)
    for axis in (0, 1, 2):
        def flipped(v, reverse):
            return torch.flip(v, (axis,)) if reverse else v

        for reverse in (False, True):
            suffix = f"axis{axis}" + ("_reverse" if reverse else "")
            record(f"cumsum/{suffix}", lambda v: flipped(torch.cumsum(flipped(v, reverse), axis), reverse), x)
            record(f"cumsum/{suffix}_exclusive",
                   lambda v: flipped(torch.cumsum(flipped(v, reverse), axis) - flipped(v, reverse), reverse), x)
        record(f"reduce/argmin_axis{axis}", lambda v: torch.argmin(v, axis), x)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for group in (unary, binary, softmax, cross_entropy, losses, layer_norm, matmul, reductions, lookups, lstm, gru,
                  later_unary, cumsum):
        group()
    for name, cases in groups.items():
        lines = [f"{json.dumps(case)}: {json.dumps(data)}" for case, data in cases.items()]
        (folder / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
