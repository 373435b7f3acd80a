#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The workloads of bench/workload.cpp in PyTorch, under the same protocol as eddy_workloads (see its --help).

  torch_workloads.py NAME VOCABULARY TIME BATCH EMBEDDING HIDDEN [--threads N] [--save FILE.npz]

--save writes weights and batch under eddy's names and layouts, for eddy_workloads --weights.
"""
import argparse
import json
import statistics
import time


def peak_resident():
    """The most resident memory of this process, in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

AFTER_IMPORT = peak_resident()
# However short the time, so that a median is one; eddy_workloads does the same.
LEAST_STEPS = 5


def cross_entropy(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def lstm_arrays(name, layer):
    """eddy keeps one bias and the weights transposed; both order the gates i, f, g, o."""
    suffix = "" if isinstance(layer, nn.LSTMCell) else "_l0"
    w_x, w_h, b_x, b_h = (getattr(layer, part + suffix) for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    return {name + "/w_x": w_x.T, name + "/w_h": w_h.T, name + "/bias": b_x + b_h}


def word_arrays(model, recurrent):
    return {"embedding": model.embedding.weight, **lstm_arrays("encoder0", recurrent),
            "softmax/table": model.softmax.weight, "softmax/bias": model.softmax.bias}


class LanguageModel(nn.Module):
    def __init__(self, vocabulary, embedding, hidden):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.encoder = nn.LSTM(embedding, hidden)
        self.softmax = nn.Linear(hidden, vocabulary)

    def loss(self, tokens, targets):
        outputs, _ = self.encoder(self.embedding(tokens))
        return cross_entropy(self.softmax(outputs), targets)

    def arrays(self):
        return word_arrays(self, self.encoder)


class Autoencoder(LanguageModel):
    def loss(self, tokens, targets):
        words = self.embedding(tokens)
        _, meaning = self.encoder(words)
        outputs, _ = self.encoder(torch.cat([torch.zeros_like(words[:1]), words[:-1]]), meaning)
        return cross_entropy(self.softmax(outputs), targets)


class Decoder(LanguageModel):
    """Mode 0 reads the context at every step, 1 its own output, 2 both, 3 its own output and what attention finds."""

    def __init__(self, vocabulary, hidden, mode):
        super().__init__(vocabulary, hidden, hidden)
        self.mode = mode
        self.decoder = nn.LSTM(hidden, hidden) if mode == 0 else nn.LSTMCell(hidden * (1 if mode == 1 else 2), hidden)
        if mode == 3:
            self.keys = nn.Linear(hidden, hidden)
            self.query = nn.Linear(hidden, hidden, bias=False)
            self.energy = nn.Linear(hidden, 1, bias=False)

    def attend(self, memory, keys, state):
        weights = torch.softmax(self.energy(torch.tanh(keys + self.query(state))).squeeze(-1), 0)
        return (weights.unsqueeze(-1) * memory).sum(0)

    def outputs(self, tokens, steps):
        memory, (h, c) = self.encoder(self.embedding(tokens))
        context, cell = h[0], c[0]
        if self.mode == 0:
            return self.decoder(h.expand(steps, -1, -1))[0]
        output = context
        if self.mode == 3:
            keys, cell = self.keys(memory), torch.zeros_like(cell)
        outputs = []
        for _ in range(steps):
            if self.mode == 3:
                context = self.attend(memory, keys, output)
            read = output if self.mode == 1 else torch.cat([output, context], -1)
            output, cell = self.decoder(read, (output, cell))
            outputs.append(output)
        return torch.stack(outputs)

    def loss(self, tokens, targets):
        return cross_entropy(self.softmax(self.outputs(tokens, len(targets))), targets)

    def arrays(self):
        arrays = {**super().arrays(), **lstm_arrays("decoder", self.decoder)}
        if self.mode == 3:
            arrays.update({"attention/w_memory": self.keys.weight.T, "attention/b_memory": self.keys.bias,
                           "attention/w_query": self.query.weight.T, "attention/w_energy": self.energy.weight[0]})
        return arrays


class Greedy(nn.Module):
    def __init__(self, vocabulary, embedding, hidden):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.cell = nn.LSTMCell(embedding, hidden)
        self.softmax = nn.Linear(hidden, vocabulary)

    def infer(self, batch):
        word = torch.zeros(batch["tokens"].shape[1], dtype=torch.long)
        state, words = None, []
        for _ in range(len(batch["tokens"])):
            state = self.cell(self.embedding(word), state)
            word = self.softmax(state[0]).argmax(-1)
            words.append(word)
        return torch.stack(words)

    def arrays(self):
        return word_arrays(self, self.cell)


class Classifier(nn.Module):
    def __init__(self, vocabulary, embedding, hidden):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.encoder = nn.LSTM(embedding, hidden)
        self.output = nn.Linear(hidden, 2)

    def infer(self, batch):
        _, (h, _) = self.encoder(self.embedding(batch["tokens"]))
        return self.output(h[0])

    def arrays(self):
        return {"embedding": self.embedding.weight, **lstm_arrays("encoder0", self.encoder),
                "classifier/output/w": self.output.weight.T, "classifier/output/b": self.output.bias}


def make_model(name, vocabulary, embedding, hidden):
    if name.startswith("lm_"):
        return LanguageModel(vocabulary, embedding, hidden)
    if name.startswith("sa_"):
        return Autoencoder(vocabulary, embedding, hidden)
    if name == "greedy":
        return Greedy(vocabulary, embedding, hidden)
    if name == "predict":
        return Classifier(vocabulary, embedding, hidden)
    return Decoder(vocabulary, hidden, int(name[-1]))


class Session:
    def __init__(self, arguments):
        self.model = make_model(arguments.name, arguments.vocabulary, arguments.embedding, arguments.hidden)
        self.trains = hasattr(self.model, "loss")
        size = (arguments.time, arguments.batch)
        self.batch = {name: torch.randint(0, arguments.vocabulary, size) for name in ("tokens", "targets")}
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3) if self.trains else None

    def step(self):
        if not self.trains:
            with torch.inference_mode():
                return self.model.infer(self.batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.model.loss(**self.batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.detach()

    def save(self, path):
        arrays = {name: value.detach().numpy() for name, value in self.model.arrays().items()}
        if not isinstance(self.model, Greedy):
            arrays["tokens"] = self.batch["tokens"].numpy().astype(np.int32)
        if self.trains:
            arrays["targets"] = self.batch["targets"].numpy().astype(np.int32)
        np.savez(path, **{name: np.ascontiguousarray(array) for name, array in arrays.items()})

    def one_bias(self, frozen):
        """PyTorch's LSTM has two biases that always have the same gradient, eddy's one: from the second step on they
        compute the same only while one of the two stays zero."""
        for name, value in self.model.named_parameters():
            if "bias_hh" in name:
                value.requires_grad_(not frozen)
                if frozen:
                    with torch.no_grad():
                        value.zero_()

    def values(self, steps):
        if not self.trains:
            return {"values": self.step().flatten().tolist()}
        self.one_bias(True)
        values = [self.step().item() for _ in range(int(steps))]
        self.one_bias(False)
        return {"values": values}

    def time(self, seconds):
        self.step()
        times = []
        while sum(times) < seconds or len(times) < LEAST_STEPS:
            start = time.perf_counter()
            self.step()
            times.append(time.perf_counter() - start)
        return {"steps": len(times), "median": statistics.median(times)}

    def memory(self):
        return {"peak_resident": peak_resident(), "after_import": AFTER_IMPORT}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    for size in ("vocabulary", "time", "batch", "embedding", "hidden"):
        parser.add_argument(size, type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    session = Session(arguments)
    if arguments.save:
        session.one_bias(True)
        session.save(arguments.save)
    print(json.dumps({"workload": arguments.name, "version": torch.__version__}), flush=True)
    while True:
        words = input().split()
        if words == ["quit"]:
            return
        command = {"values": session.values, "time": session.time, "memory": session.memory}[words[0]]
        print(json.dumps(command(*(float(word) for word in words[1:]))), flush=True)


if __name__ == "__main__":
    try:
        main()
    except EOFError:
        pass
