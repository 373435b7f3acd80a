#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records BLEU of NLTK, and ROUGE counted from its definition, as goldens for eddy's text metrics.

Usage: record_text_metrics.py [folder]    (needs NLTK; the tests read the recorded file and do not run this script)

text_metrics.json holds {"corpora": [{"texts", "references", "bleu": {...}, "rouge": [...]}]}: tokens are letters, a text
is a string of them. BLEU is that of the corpus, ROUGE of each text with its first reference.
"""
import itertools
import json
import pathlib
import random
import sys

from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu

random.seed(20020706)


def words(count, alphabet):
    return "".join(random.choice(alphabet) for _ in range(count))


def altered(text, alphabet, share):
    """At least four tokens: NLTK counts an n-gram even in texts too short to have one."""
    kept = [c if random.random() > share else random.choice(alphabet) for c in text if random.random() > share / 2]
    return "".join(kept).ljust(4, alphabet[0])


def rouge(matches, in_text, in_reference):
    precision = matches / in_text if in_text else 0.0
    recall = matches / in_reference if in_reference else 0.0
    return [precision, recall, 2 * precision * recall / (precision + recall) if matches else 0.0]


def rouge_n(text, reference, n):
    left = [text[i:i + n] for i in range(len(text) - n + 1)]
    unused = [reference[i:i + n] for i in range(len(reference) - n + 1)]
    total = len(unused)
    matches = 0
    for gram in left:
        if gram in unused:
            unused.remove(gram)
            matches += 1
    return rouge(matches, len(left), total)


def rouge_l(text, reference):
    """Tries every subsequence, longest first."""
    def subsequences(items, size):
        return set(itertools.combinations(items, size))
    for size in range(min(len(text), len(reference)), 0, -1):
        if subsequences(text, size) & subsequences(reference, size):
            return rouge(size, len(text), len(reference))
    return rouge(0, len(text), len(reference))


corpora = []
for alphabet, share, most in [("abcdefgh", 0.15, 1), ("abcd", 0.3, 3), ("abcdefghijklmnop", 0.5, 4), ("ab", 0.2, 2),
                               ("abcdefghijklmnop", 0.7, 2)]:
    references, texts = [], []
    for _ in range(12):
        first = words(random.randint(3, 12), alphabet)
        others = [altered(first, alphabet, share) for _ in range(random.randint(0, most - 1))]
        references.append([first] + others)
        texts.append(altered(first, alphabet, share))
    split = ([[list(r) for r in each] for each in references], [list(t) for t in texts])
    smoothing = SmoothingFunction()
    bleu = {"none": corpus_bleu(*split), "add_one": corpus_bleu(*split, smoothing_function=smoothing.method2),
            "exponential": corpus_bleu(*split, smoothing_function=smoothing.method3),
            "order_2": corpus_bleu(*split, weights=(0.5, 0.5))}
    bleu = {name: value if value > 1e-70 else 0.0 for name, value in bleu.items()}  # NLTK puts 2e-308 for no match
    corpora.append({
        "texts": texts, "references": references, "bleu": bleu,
        "rouge": [{"1": rouge_n(t, r[0], 1), "2": rouge_n(t, r[0], 2), "l": rouge_l(t, r[0])}
                  for t, r in zip(texts, references)],
    })

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
(folder / "text_metrics.json").write_text(json.dumps({"corpora": corpora}, indent=1) + "\n")
