"""The folds of ``bench-real``, and what each left: a file a fold, found again by all that it depends on."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

FOLDS = 5

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Told:
    """What a method said of the rows of some folds, k of them, and what that cost.

    Parameters
    ----------
    rows : ndarray of shape (n,)
        Row numbers in the file.
    p : ndarray of shape (n,)
        Probabilities by a model that learnt from none of these rows of its fold.
    cpu_s, wall_s : ndarray of shape (k,)
        Of learning and scoring, a value a fold. CPU is user and system time of the process and its children.
    """

    rows: Rows
    p: Floats
    cpu_s: Floats
    wall_s: Floats

    def write(self, path: Path) -> None:
        """Whole or not at all, so that a killed run leaves nothing to trip over."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez(file, rows=self.rows, p=self.p, cpu_s=self.cpu_s, wall_s=self.wall_s)
        unfinished.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Told":
        with np.load(path) as file:
            return cls(file["rows"], file["p"], file["cpu_s"], file["wall_s"])

    @classmethod
    def pooled(cls, folds: Iterable["Told"]) -> "Told":
        """Folds of one repeat as one, its rows in the file's order.

        Examples
        --------
        >>> cost = np.array([1.0])
        >>> first = Told(np.array([1, 2]), np.array([0.1, 0.2]), cost, cost)
        >>> second = Told(np.array([0, 3]), np.array([0.9, 0.3]), cost, cost)
        >>> both = Told.pooled([first, second])
        >>> both.p.tolist(), both.cpu_s.tolist()
        ([0.9, 0.1, 0.2, 0.3], [1.0, 1.0])
        """
        several = list(folds)
        rows = np.concatenate([one.rows for one in several])
        order = np.argsort(rows)
        return cls(
            rows[order],
            np.concatenate([one.p for one in several])[order],
            np.concatenate([one.cpu_s for one in several]),
            np.concatenate([one.wall_s for one in several]),
        )


def splits(label: npt.NDArray[np.int8], seed: int) -> list[tuple[Rows, Rows]]:
    """Rows to learn from and rows to score, a pair a fold: those of ``nbo evaluate table``."""
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return list(splitter.split(label, label))


def place(folder: Path, where: Mapping[str, Any], depends: Mapping[str, Any]) -> Path:
    """Where a fold's file lies: a readable name, and a digest of all that its content depends on.

    Examples
    --------
    >>> where = {"set": "a", "method": "ours", "seed": 1, "fold": 0}
    >>> place(Path("cache"), where, {"code": "1"}).as_posix()
    'cache/a/ours/1-0-99bb38dc2f8a.npz'
    """
    text = json.dumps({**where, **depends, "folds": FOLDS}, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    name = f"{where['seed']}-{where['fold']}-{digest}.npz"
    return folder / str(where["set"]) / str(where["method"]) / name


def digest_of(*paths: Path) -> str:
    """Of these files' contents, and of the Python modules in these folders."""
    found = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found.update(f"{file.relative_to(path).as_posix()}\0".encode())
            found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()
