#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Classifies texts with a model that eddy trained, in PyTorch.

    eddy finetune --data train.tsv --label-column 0 --output classifier.safetensors
    python3 load_model.py classifier.safetensors < texts.txt
    python3 load_model.py classifier.safetensors --compare eddy < texts.txt
"""
import argparse
import math
import sys

from eddy_text import LoadedModel, compare_with_eddy


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="model file of a classifier")
    parser.add_argument("--compare", metavar="PROGRAM", help="the eddy program: fail unless it agrees to 1e-4")
    arguments = parser.parse_args()
    loaded = LoadedModel(arguments.model)
    texts = [line.rstrip("\n") for line in sys.stdin]
    results = [loaded.log_probabilities(text) for text in texts]
    for result in results:
        label = max(result, key=result.get)
        print(f"{label}\t{math.exp(result[label]):.4f}")
    if arguments.compare:
        worst = compare_with_eddy(arguments.compare, arguments.model, texts, results)
        print(f"largest difference of a log-probability from eddy's, {len(texts)} texts: {worst:.2e}", file=sys.stderr)
        sys.exit(worst > 1e-4)


if __name__ == "__main__":
    main()
