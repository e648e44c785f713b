"""Golden data for test/training/headstart.test.ts: scikit-learn's ridge regression with λ by leave-one-out, and the factor on its logits by SciPy.

    python -m venv venv && venv/bin/pip install scikit-learn scipy numpy && venv/bin/python tools/golden/ridge.py

Writes test/golden/ridge.json. The features are whole 64ths, made of integers alone: the test makes the same.
"""

import json
import pathlib

import numpy as np
import sklearn
from scipy.optimize import brentq, minimize_scalar
from sklearn.linear_model import RidgeCV

out = pathlib.Path(__file__).parents[2] / "test" / "golden" / "ridge.json"


def features(n, f, c):
    i, k = np.mgrid[0:n, 0:f]
    y = np.arange(n) % c
    noise = (i * i * 31 + k * k * 17 + i * k * 13 + i * 7 + k * 5) & 63
    return (noise + 40 * ((k + y[:, None]) % c == 0)).astype(np.float64) / 64, y


cases = []
for n, f, c in [(30, 50, 3), (61, 12, 4), (40, 40, 5)]:
    x, y = features(n, f, c)
    targets = np.eye(c)[y]
    mean_square = ((x - x.mean(0)) ** 2).sum() / n
    alphas = mean_square * 1e-4 * 10 ** (np.arange(13) / 2)
    model = RidgeCV(alphas=alphas, store_cv_results=True).fit(x, targets)
    best = int(np.argmin(np.abs(alphas - model.alpha_)))
    error = np.sqrt(model.cv_results_[:, :, best])
    # Which side of the target a left-out prediction lies on, its square does not say: it lies where the fit does, further out.
    fit = model.predict(x)
    left_out = targets - np.sign(targets - fit) * error

    def loss(z, more=0.0):
        scale = np.log(np.exp(z - z.max(1, keepdims=True)).sum(1)) + z.max(1)
        own = scale - z[np.arange(n), y]
        return (own + more * (scale - z.mean(1) - own)).sum()

    # As sure as is best for pictures left out; then no surer of the pictures themselves.
    sure = minimize_scalar(lambda t: loss(2**t * left_out, 1 / (n + 1)), bounds=(-2, 10), method="bounded", options={"xatol": 1e-6}).x
    # The loss that is matched is that of the nearest power of √2, the only ones that the engine tries.
    want = loss(2 ** (round(2 * sure) / 2) * left_out)
    s = min(sure, brentq(lambda t: loss(2**t * fit) - want, -2, 10))
    cases.append(
        {
            "n": n,
            "f": f,
            "c": c,
            "relative": float(model.alpha_ / mean_square),
            "factor": float(2**s),
            "right": float((left_out.argmax(1) == y).mean()),
            "coef": [float(f"{v:.8g}") for v in model.coef_.ravel()],
            "intercept": [float(f"{v:.8g}") for v in model.intercept_],
        }
    )
    print(cases[-1]["relative"], cases[-1]["factor"], cases[-1]["right"], model.cv_results_.mean((0, 1)))
out.write_text(json.dumps({"scikit-learn": sklearn.__version__, "cases": cases}) + "\n")
