#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a small classifier in PyTorch and writes its state_dict as a model file that eddy predicts with, or goes on
training from (`eddy finetune --from`).

    python3 save_model.py train.tsv torch.safetensors          (class TAB text)
    eddy predict --model torch.safetensors < texts.txt
    python3 save_model.py train.tsv torch.safetensors --compare eddy
"""
import argparse
import collections
import json
import sys

import torch

from eddy_text import END, TextClassifier, compare_with_eddy, encode, split_text, write_safetensors

TEXT = {"unit": "word", "lower_case": True, "drop_unknown": False, "min_count": 1, "vocabulary_size": 30000}


def settings_of(arguments, words, classes):
    return {"vocabulary_size": words, "embedding_size": arguments.embedding, "cell": arguments.cell,
            "hidden_size": arguments.hidden, "layers": arguments.layers, "reverse": False,
            "bidirectional": arguments.bidirectional, "classes": classes, "classifier_hidden_size": 0,
            "pooling": arguments.pooling, "end_of_sequence": END}


def save(path, model, config, vocabulary, counts, labels):
    """What eddy needs beside the weights: settings it lacks have their defaults."""
    write_safetensors(path, model.to_eddy(), {
        "format": "eddy checkpoint", "format_version": "1", "seed": "1", "not_trainable": "[]", "position": "{}",
        "config": json.dumps(config), "vocabulary": json.dumps(vocabulary, ensure_ascii=False),
        "vocabulary_counts": json.dumps(counts), "more.kind": "eddy text model 1", "more.from": "",
        "more.text": json.dumps(TEXT), "more.labels": json.dumps(labels, ensure_ascii=False),
        "more.data": json.dumps({"path": ""})})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="lines of class TAB text")
    parser.add_argument("output", help="model file to write")
    parser.add_argument("--cell", choices=["lstm", "gru"], default="lstm")
    parser.add_argument("--pooling", choices=["last", "mean", "last_mean", "concat"], default="last")
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--embedding", type=int, default=16)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--bidirectional", action="store_true")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--compare", metavar="PROGRAM", help="the eddy program: fail unless it agrees to 1e-4")
    arguments = parser.parse_args()
    torch.manual_seed(1)

    rows = [line.rstrip("\n").split("\t", 1) for line in open(arguments.data, encoding="utf-8")]
    labels = sorted({label for label, _ in rows})
    counter = collections.Counter(token for _, text in rows for token in split_text(text.lower(), TEXT["unit"]))
    words = sorted(counter, key=lambda word: (-counter[word], word.encode()))
    vocabulary = ["<unk>", "<eos>"] + words
    counts = [0, len(rows)] + [counter[word] for word in words]
    ids = {token: i for i, token in enumerate(vocabulary)}

    config = {"task": "classifier", "max_length": 400, "keep_last": True,
              "model": settings_of(arguments, len(vocabulary), len(labels))}
    model = TextClassifier(config["model"])
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for epoch in range(arguments.epochs):
        total = 0.0
        for at in torch.randperm(len(rows)).tolist():
            label, text = rows[at]
            scores = model(encode(text, TEXT, config, ids))
            loss = torch.nn.functional.cross_entropy(scores[None], torch.tensor([labels.index(label)]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / len(rows):.4f}", file=sys.stderr)
    save(arguments.output, model, config, vocabulary, counts, labels)

    if arguments.compare:
        texts = [text for _, text in rows]
        model.eval()
        with torch.no_grad():
            results = [dict(zip(labels, torch.log_softmax(model(encode(text, TEXT, config, ids)).double(), 0).tolist()))
                       for text in texts]
        worst = compare_with_eddy(arguments.compare, arguments.output, texts, results)
        print(f"largest difference of a log-probability from eddy's, {len(texts)} texts: {worst:.2e}", file=sys.stderr)
        sys.exit(worst > 1e-4)


if __name__ == "__main__":
    main()
