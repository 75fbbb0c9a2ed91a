"""The methods that ``bench-real`` measures beside the churn learner, each on one thread.

They are used as their makers hand them out: default parameters, and no more preparation than each needs.
Runs in the environment of ``constraints/peers.txt``, which knows nothing of this project. Each is a function
that imports what it needs, so that importing is not measured, and returns the method.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]
Peer = Callable[[pd.DataFrame, Labels, pd.DataFrame, int, float], Floats]
"""From training rows, their labels, rows to score, a seed and a budget in seconds to probabilities (n,)."""

NOT_KNOWN = "not known"
RARE = 20
"""Rows below which the logistic regression takes the values of a category as one."""
SHRUNK = 0.1
"""Inverse strength of the logistic regression's penalty, with numbers scaled to a variance of 1."""


def typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Text as categories, numbers as they are, NaN = not known.

    The categories' list is that of all rows, for training rows may lack a value that a row to score has. It
    tells nothing of a label.
    """
    return rows.astype(dict.fromkeys(categories(rows), "category"))


def categories(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]


def spelt(rows: pd.DataFrame) -> pd.DataFrame:
    """Categories as text with a word for those not known, for what takes no missing category."""
    texts = categories(rows)
    return rows.astype(dict.fromkeys(texts, object)).fillna(dict.fromkeys(texts, NOT_KNOWN))


def lightgbm_defaults() -> Peer:
    from lightgbm import LGBMClassifier

    def told(train: pd.DataFrame, label: Labels, test: pd.DataFrame, seed: int, _: float) -> Floats:
        model = LGBMClassifier(n_jobs=1, random_state=seed, verbose=-1)
        return model.fit(train, label).predict_proba(test)[:, 1]

    return told


def xgboost_defaults() -> Peer:
    from xgboost import XGBClassifier

    def told(train: pd.DataFrame, label: Labels, test: pd.DataFrame, seed: int, _: float) -> Floats:
        model = XGBClassifier(enable_categorical=True, n_jobs=1, random_state=seed)
        return model.fit(train, label).predict_proba(test)[:, 1]

    return told


def catboost_defaults() -> Peer:
    from catboost import CatBoostClassifier

    def told(train: pd.DataFrame, label: Labels, test: pd.DataFrame, seed: int, _: float) -> Floats:
        texts = categories(train)
        quiet = {"verbose": False, "allow_writing_files": False}
        model = CatBoostClassifier(cat_features=texts, thread_count=1, random_seed=seed, **quiet)
        return model.fit(spelt(train), label).predict_proba(spelt(test), thread_count=1)[:, 1]

    return told


def logistic_regression() -> Peer:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    def told(train: pd.DataFrame, label: Labels, test: pd.DataFrame, _: int, __: float) -> Floats:
        texts = categories(train)
        numbers = [name for name in train if name not in texts]
        filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        prepared = make_column_transformer(
            (make_pipeline(filled, StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE), texts),
        )
        model = make_pipeline(prepared, LogisticRegression(C=SHRUNK, max_iter=1_000))
        return model.fit(spelt(train), label).predict_proba(spelt(test))[:, 1]

    return told


def flaml_search() -> Peer:
    from flaml import AutoML

    def told(train: pd.DataFrame, label: Labels, test: pd.DataFrame, seed: int, budget_s: float) -> Floats:
        search = AutoML()
        asked = {"task": "classification", "time_budget": budget_s, "n_jobs": 1, "seed": seed, "verbose": 0}
        search.fit(X_train=train, y_train=label, **asked)
        return search.predict_proba(test)[:, 1]

    return told


PEERS: dict[str, Callable[[], Peer]] = {
    "lightgbm": lightgbm_defaults,
    "logistic": logistic_regression,
    "xgboost": xgboost_defaults,
    "catboost": catboost_defaults,
    "flaml": flaml_search,
}
