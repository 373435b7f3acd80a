# SPDX-License-Identifier: Apache-2.0
"""eddy's classifiers in PyTorch: the file format, and one module with the weights of an eddy model.

A model file is a safetensors file: 8 bytes of header length, a JSON header, the arrays. The header's
`__metadata__` holds the settings, the vocabulary and the class names as JSON texts.
"""
import json
import math
import re
import struct
import sys

import numpy as np
import torch
from torch import nn

UNKNOWN, END = 0, 1  # ids of <unk> and <eos>


def read_safetensors(path):
    """Arrays by name (float32), and the metadata."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__")
    arrays = {}
    for name, entry in header.items():
        if "/row_step/" in name:
            raise SystemExit(f"{path} is a checkpoint whose embedding has rows that are yet to catch up; use the model "
                             "file beside it")
        if entry["dtype"] != "F32":
            continue  # counters of a checkpoint
        begin, end = entry["data_offsets"]
        arrays[name] = np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
    return arrays, metadata


def write_safetensors(path, arrays, metadata):
    header, blocks, offset = {"__metadata__": metadata}, [], 0
    for name in sorted(arrays):
        block = np.ascontiguousarray(arrays[name], "<f4")
        header[name] = {"dtype": "F32", "shape": list(block.shape), "data_offsets": [offset, offset + block.nbytes]}
        blocks.append(block.tobytes())
        offset += block.nbytes
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # so that the arrays are aligned
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


class TextClassifier(nn.Module):
    """Embedding, one recurrent stack (two when bidirectional), pooling, [linear, relu,] linear.

    `settings` is the member "model" of a training config. One text at a time, so nothing is padded or masked.
    """

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        size, hidden, layers = settings["embedding_size"], settings["hidden_size"], settings["layers"]
        if settings.get("clip_cell"):
            raise SystemExit("PyTorch's LSTM does not clip its cell state, as this model does")
        cell = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[settings["cell"]]
        self.embedding = nn.Embedding(settings["vocabulary_size"], size)
        # Of the words' counts, which eddy keeps with the vocabulary.
        self.register_buffer("shares", torch.zeros(settings["vocabulary_size"]))
        # Two stacks that know nothing of each other; PyTorch's bidirectional=True would join them after each layer.
        self.stacks = nn.ModuleDict({"encoder": cell(size, hidden, layers)})
        if settings["bidirectional"]:
            self.stacks["encoder_reverse"] = cell(size, hidden, layers)
        parts = {"last": 1, "mean": 1, "last_mean": 2, "concat": 3}[settings["pooling"]]
        features = hidden * parts * len(self.stacks)
        self.hidden = None
        if settings["classifier_hidden_size"]:
            self.hidden = nn.Linear(features, settings["classifier_hidden_size"])
            features = settings["classifier_hidden_size"]
        self.output = nn.Linear(features, settings["classes"])

    def embed(self, ids):
        table = self.embedding.weight
        if self.settings.get("normalize_embeddings"):
            mean = self.shares @ table
            variance = self.shares @ (table - mean) ** 2
            return (table[ids] - mean) / torch.sqrt(variance + 1e-6)
        return table[ids]

    def forward(self, ids):
        """Class scores [classes] of token ids [time]."""
        x = self.embed(ids).unsqueeze(1)
        features = []
        for name, stack in self.stacks.items():
            backwards = self.settings["reverse"] != (name == "encoder_reverse")
            outputs = stack(x.flip(0) if backwards else x)[0][:, 0]
            pooling = self.settings["pooling"]
            if pooling != "mean":
                features.append(outputs[-1])
            if pooling != "last":
                features.append(outputs.mean(0))
            if pooling == "concat":
                features.append(outputs.max(0).values)
        features = torch.cat(features)
        if self.hidden is not None:
            features = torch.relu(self.hidden(features))
        return self.output(features)

    # The names on eddy's side, with the PyTorch parameters they stand for. Gates come in the same order in both (LSTM:
    # i, f, g, o; GRU: r, z, n); matrices are transposed; of PyTorch's two LSTM biases eddy has the sum.

    def linear_layers(self):
        layers = {"classifier/output": self.output}
        if self.hidden is not None:
            layers["classifier/hidden"] = self.hidden
        return layers.items()

    def load_eddy(self, arrays, counts):
        with torch.no_grad():
            self.embedding.weight.copy_(torch.tensor(arrays["embedding"]))
            self.shares.copy_(torch.tensor(counts, dtype=torch.float64) / max(1, sum(counts)))
            for name, layer in self.linear_layers():
                layer.weight.copy_(torch.tensor(arrays[name + "/w"].T))
                layer.bias.copy_(torch.tensor(arrays[name + "/b"]))
            for name, stack in self.stacks.items():
                for i in range(stack.num_layers):
                    getattr(stack, f"weight_ih_l{i}").copy_(torch.tensor(arrays[f"{name}{i}/w_x"].T))
                    getattr(stack, f"weight_hh_l{i}").copy_(torch.tensor(arrays[f"{name}{i}/w_h"].T))
                    getattr(stack, f"bias_ih_l{i}").copy_(torch.tensor(arrays[f"{name}{i}/bias"]))
                    recurrent = arrays.get(f"{name}{i}/bias_h", np.zeros_like(arrays[f"{name}{i}/bias"]))
                    getattr(stack, f"bias_hh_l{i}").copy_(torch.tensor(recurrent))

    def to_eddy(self):
        state = {name: value.detach().numpy() for name, value in self.state_dict().items()}
        arrays = {"embedding": state["embedding.weight"]}
        for name, layer in self.linear_layers():
            arrays[name + "/w"] = layer.weight.detach().numpy().T
            arrays[name + "/b"] = layer.bias.detach().numpy()
        for name, stack in self.stacks.items():
            for i in range(stack.num_layers):
                part = {key: state[f"stacks.{name}.{key}_l{i}"] for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
                arrays[f"{name}{i}/w_x"] = part["weight_ih"].T
                arrays[f"{name}{i}/w_h"] = part["weight_hh"].T
                if self.settings["cell"] == "gru":
                    arrays[f"{name}{i}/bias"] = part["bias_ih"]
                    arrays[f"{name}{i}/bias_h"] = part["bias_hh"]
                else:
                    arrays[f"{name}{i}/bias"] = part["bias_ih"] + part["bias_hh"]
        return arrays


def split_text(text, unit):
    """Tokens of simple text. eddy cuts words as Unicode's rules say (UAX 29); for words and punctuation of European
    scripts without apostrophes and numbers with points this is the same."""
    if unit == "whitespace":
        return text.split()
    if unit == "word":
        return re.findall(r"\w+|[^\w\s]", text)
    if unit == "alphanumeric":
        return re.findall(r"\w+", text)
    if unit == "code_point":
        return list(text)
    raise SystemExit(f"this example does not cut texts into units of '{unit}'")


def encode(text, text_config, config, ids):
    """Token ids of a text as the model reads them: cut, looked up, shortened, with <eos>."""
    if text_config["lower_case"]:
        text = text.lower()
    found = [ids.get(token, UNKNOWN) for token in split_text(text, text_config["unit"])]
    if text_config["drop_unknown"]:
        found = [token for token in found if token != UNKNOWN]
    longest = config["max_length"]
    if longest and len(found) > longest:
        found = found[-longest:] if config["keep_last"] else found[:longest]
    return torch.tensor(found + [END])


class LoadedModel:
    """An eddy classifier with its vocabulary and class names."""

    def __init__(self, path):
        arrays, metadata = read_safetensors(path)
        self.config = json.loads(metadata["config"])
        self.text = json.loads(metadata["more.text"])
        self.labels = json.loads(metadata["more.labels"])
        if not self.config["model"]["classes"]:
            sys.exit(f"{path}: is no classifier; eddy finetune makes one of it")
        vocabulary = json.loads(metadata["vocabulary"])
        self.ids = {token: i for i, token in enumerate(vocabulary)}
        # A checkpoint may hold averaged weights, which are those that eddy predicts with.
        arrays = {name: arrays.get("ema/" + name, value) for name, value in arrays.items()}
        self.model = TextClassifier(self.config["model"])
        self.model.load_eddy(arrays, json.loads(metadata["vocabulary_counts"]))
        self.model.eval()

    def log_probabilities(self, text):
        with torch.no_grad():
            scores = self.model(encode(text, self.text, self.config, self.ids))
        return dict(zip(self.labels, torch.log_softmax(scores.double(), 0).tolist()))


def compare_with_eddy(program, path, texts, expected):
    """Largest difference of any log-probability from what `eddy predict` says."""
    import subprocess

    classes = len(next(iter(expected)))
    command = [program, "predict", "--model", path, "--json", "--top", str(max(2, classes))]
    output = subprocess.run(command, input="".join(text + "\n" for text in texts), text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    worst = 0.0
    for line, ours in zip(output.splitlines(), expected, strict=True):
        for entry in json.loads(line)["top"]:
            worst = max(worst, abs(math.log(entry["probability"]) - ours[entry["label"]]))
    return worst
