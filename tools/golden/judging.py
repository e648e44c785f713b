"""Golden data for test/task/judging.test.ts: scikit-learn's figures of a classifier.

    python -m venv venv && venv/bin/pip install scikit-learn numpy && venv/bin/python tools/golden/judging.py

Writes test/golden/judging.json. Logits are whole 16ths, made of integers alone: the test makes the same.
"""

import json
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score, top_k_accuracy_score

out = pathlib.Path(__file__).parents[2] / "test" / "golden" / "judging.json"
warnings.simplefilter("ignore")


def answers(n, c, only):
    i, k = np.mgrid[0:n, 0:c]
    truth = (np.arange(n) * 7 + np.arange(n) // 3) % c if only is None else np.full(n, only)
    noise = (i * i * 13 + k * k * 29 + i * k * 17 + i * 5 + k * 11) % 127
    # The last class is never far ahead, so that it is never answered.
    noise = noise - 200 * (k == c - 1)
    # A little of the number's own place, so that no two logits of a picture are equal.
    return truth, (noise + 60 * (k == truth[:, None]) + k / 64) / 16


cases = []
for n, c, only in [(60, 3, None), (200, 8, None), (25, 6, 2)]:
    truth, logits = answers(n, c, only)
    answered = logits.argmax(1)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    confidence = p.max(1)
    right = truth == answered
    precision, recall, f1, support = precision_recall_fscore_support(truth, answered, labels=range(c), zero_division=np.nan)
    mean = precision_recall_fscore_support(truth, answered, average="macro", zero_division=0)
    share, sure = calibration_curve(right, confidence, n_bins=10)
    count = np.histogram(-confidence, bins=-np.linspace(1, 0, 11))[0][::-1]
    count = count[count > 0]
    cases.append(
        {
            "n": n,
            "c": c,
            "only": only,
            "confusion": confusion_matrix(truth, answered, labels=range(c)).tolist(),
            "precision": [None if np.isnan(v) else v for v in precision],
            "recall": [None if np.isnan(v) else v for v in recall],
            "f1": [None if np.isnan(v) else v for v in f1],
            "support": support.tolist(),
            "mean": [float(v) for v in mean[:3]],
            "top5": float(top_k_accuracy_score(truth, logits, k=5, labels=range(c))) if c > 5 else None,
            "bins": [[float(a), float(b)] for a, b in zip(sure, share)],
            "ece": float((count * np.abs(share - sure)).sum() / n),
        }
    )
    print(cases[-1])
# Distances of known pictures and of others, with many that are equal.
roc = []
for n, m in [(40, 25), (7, 90), (1, 1), (12, 12)]:
    near = ((np.arange(n) * 37 + n) % 23).tolist()
    far = ((np.arange(m) * 29 + m) % 23 + 6).tolist()
    roc.append({"near": near, "far": far, "area": float(roc_auc_score([0] * n + [1] * m, near + far))})
out.write_text(json.dumps({"scikit-learn": sklearn.__version__, "cases": cases, "roc": roc}) + "\n")
