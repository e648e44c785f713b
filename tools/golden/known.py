"""Writes test/golden/known.json: class means, shared covariance and distances by numpy.

    python tools/golden/known.py

Features are scaled to length 1. The covariance about the class means is over n - classes; of it the directions of the largest eigenvalues keep
variances of their own, the others share their mean; the mean of all is added to every one.
"""

import json
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2] / "test" / "golden"
CLASSES, FEATURES, DIRECTIONS, PICTURES = 3, 48, 32, 60


def features(rng, labels, centres, mix):
    return (centres[labels] + rng.normal(size=(len(labels), FEATURES)) @ mix).astype(np.float32)


def unit(x):
    return x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)


def main():
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(CLASSES, FEATURES)) * 2 + 1
    mix = rng.normal(size=(FEATURES, FEATURES)) * np.geomspace(2, 0.05, FEATURES)[:, None]
    labels = np.arange(PICTURES) % CLASSES
    x = features(rng, labels, centres, mix)
    u = unit(x)
    means = np.stack([u[labels == c].mean(0) for c in range(CLASSES)])
    residual = u - means[labels]
    covariance = residual.T @ residual / (PICTURES - CLASSES)
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    mean = np.trace(covariance) / FEATURES
    model = vectors[:, :DIRECTIONS] @ np.diag(values[:DIRECTIONS]) @ vectors[:, :DIRECTIONS].T
    rest = np.eye(FEATURES) - vectors[:, :DIRECTIONS] @ vectors[:, :DIRECTIONS].T
    model = model + rest * values[DIRECTIONS:].mean() + np.eye(FEATURES) * mean
    inverse = np.linalg.inv(model)
    probes = np.concatenate([x[:6], rng.normal(size=(6, FEATURES)).astype(np.float32) * 3])
    d = unit(probes)[:, None] - means[None]
    distances = np.einsum("bci,ij,bcj->bc", d, inverse, d).min(1)
    out = {
        "classes": CLASSES,
        "features": FEATURES,
        "directions": DIRECTIONS,
        "labels": labels.tolist(),
        "x": x.flatten().tolist(),
        "lengths": [float(np.linalg.norm(x[labels == c].astype(np.float64), axis=1).mean()) for c in range(CLASSES)],
        "variances": [*(values[:DIRECTIONS] + mean).tolist(), float(values[DIRECTIONS:].mean() + mean)],
        "means": means.flatten().tolist(),
        "probes": probes.flatten().tolist(),
        "distances": distances.tolist(),
    }
    (ROOT / "known.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
