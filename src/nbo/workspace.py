"""A workspace: a folder with ``nbo.toml`` and the code that data scientists edit.

This is the only module that imports by path. A folder called ``features/`` that lies beside no
``nbo.toml`` is never executed.
"""

import importlib
import importlib.util
import sys
import tomllib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from nbo.decisions.settings import offers_settings
from nbo.errors import NboError, UsageError
from nbo.features import FeatureSet
from nbo.tables.contract import close_matches

MARKER = "nbo.toml"
BUNDLED = Path(__file__).parent / "_workspace"
SECTIONS = ("operator", "money", "at_risk", "offers", "log", "spark")
PACKAGES = ("features", "training", "serving")


@dataclass(frozen=True)
class Workspace:
    """A root folder and its settings.

    Parameters
    ----------
    root : Path
        Where results go: ``mlruns/``, ``bundles/``, ``releases/``, ``runs/``.
    code : Path
        Where ``features/``, ``training/`` and ``serving/`` are loaded from; the wheel's read-only
        copy where the root has none.
    settings : mapping
        The content of ``nbo.toml``.
    """

    root: Path
    code: Path
    settings: Mapping[str, Any]

    @classmethod
    def find(cls, explicit: Path | None = None) -> "Workspace":
        """The workspace given, or the one around the current directory, or the wheel's copy.

        Raises
        ------
        UsageError
            An explicit folder has no ``nbo.toml``, or that file is not TOML.
        """
        if explicit is not None:
            if not (explicit / MARKER).is_file():
                raise UsageError(f"--workspace {explicit}: no {MARKER} there", f"Run nbo init {explicit}")
            return cls.at(explicit.resolve())
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / MARKER).is_file():
                return cls.at(folder)
        return cls(here, bundled_code(), read_settings(bundled_code() / MARKER))

    @classmethod
    def at(cls, root: Path) -> "Workspace":
        """The workspace of this folder, with its own code if it has any."""
        present = [name for name in PACKAGES if (root / name / "__init__.py").is_file()]
        if present and len(present) < len(PACKAGES):
            absent = ", ".join(name for name in PACKAGES if name not in present)
            raise UsageError(
                f"{root}: expected all of {', '.join(PACKAGES)} beside {MARKER} or none, got no {absent}",
                "Run nbo init DIR and copy what is missing",
            )
        return cls(root, root if present else bundled_code(), read_settings(root / MARKER))

    def feature_sets(self, name: str) -> tuple[FeatureSet, ...]:
        """The feature sets listed under ``name`` in ``features/sets.py``.

        Raises
        ------
        UsageError
            No such name; close matches are shown. Or a declaration that does not run: its file,
            line and error.
        """
        sets = self.declared_sets()
        if name not in sets:
            raise UsageError(
                f"features {name}: no such name in features/sets.py{close_matches(name, list(sets))}"
            )
        return tuple(sets[name])

    def declared_sets(self) -> Mapping[str, Sequence[FeatureSet]]:
        """``SETS`` of ``features/sets.py``.

        Raises
        ------
        UsageError
            A file of ``features/`` does not run, or declares what cannot be declared; its line is named.
            An error of any other code is a defect and passes.
        """
        with self.declarations_told():
            return checked_sets(getattr(self.module("features.sets"), "SETS", None))

    def unlisted_families(self) -> dict[str, str]:
        """The file of each family of ``features/`` that is in no set, by the family's name."""
        listed = [family for families in self.declared_sets().values() for family in families]
        found: dict[str, str] = {}
        for path in sorted((self.code / "features").glob("[!_]*.py")):
            with self.declarations_told():
                values = vars(self.module(f"features.{path.stem}")).values()
            for value in values:
                if isinstance(value, FeatureSet) and value not in listed:
                    found.setdefault(value.name, f"features/{path.name}")
        return found

    @contextmanager
    def declarations_told(self) -> Iterator[None]:
        """Errors of declarations as :class:`UsageError` with their place; a defect of other code passes."""
        try:
            yield
        except NboError as error:
            place = innermost(self.code / "features", error)
            if place is None:
                raise
            raise UsageError(f"{place}: {error}") from error
        except Exception as error:
            place = place_within(self.code / "features", error)
            if place is None:
                raise
            raise UsageError(f"{place}: {declaration_error(error)}", "Correct the declaration") from error

    def module(self, name: str) -> ModuleType:
        """A module of the workspace's code, such as ``training.churn``."""
        package = name.split(".")[0]
        if package not in PACKAGES:
            raise UsageError(f"{name}: expected a module of {', '.join(PACKAGES)}")
        load_package(package, self.code)
        return importlib.import_module(name)

    def config_path(self, name: str) -> Path:
        """A bundled training config, such as ``churn``."""
        return self.code / "training" / "configs" / f"{name}.toml"

    @property
    def catalog_path(self) -> Path:
        """The operator's products and offers: ``catalog`` of ``[offers]``, else the bundled file."""
        return self.offers_file(offers_settings(self.settings).catalog, "catalog.toml")

    @property
    def rules_path(self) -> Path:
        """The rules of who may have which offer: ``rules`` of ``[offers]``, else the bundled file."""
        return self.offers_file(offers_settings(self.settings).rules, "rules.toml")

    def offers_file(self, told: str | None, name: str) -> Path:
        """A file named in ``nbo.toml``, relative to the root; unnamed, the one of ``serving/offers/``."""
        return self.code / "serving" / "offers" / name if told is None else self.root / told


def checked_sets(found: object) -> dict[str, Sequence[FeatureSet]]:
    """What ``features/sets.py`` declares, if it is families by name."""
    if not isinstance(found, Mapping):
        got = "none" if found is None else type(found).__name__
        raise UsageError(f"features/sets.py: expected SETS = {{name: [families]}}, got {got}")
    for name, families in found.items():
        if not isinstance(families, list | tuple):
            raise UsageError(
                f"features/sets.py: {name}: expected a list of families, got {type(families).__name__}"
            )
        for place, family in enumerate(families, 1):
            if not isinstance(family, FeatureSet):
                raise UsageError(
                    f"features/sets.py: {name}: expected families such as CALLS, got {type(family).__name__} "
                    f"as number {place}"
                )
    return dict(found)


def place_within(folder: Path, error: Exception) -> str | None:
    """``file:line`` where an error was raised, if that is code of this folder."""
    if isinstance(error, SyntaxError):
        file, line = error.filename, error.lineno
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        file, line = frame.filename, frame.lineno
    inside = file is not None and Path(file).is_relative_to(folder)
    return f"{file}:{line}" if inside else None


def innermost(folder: Path, error: Exception) -> str | None:
    """``file:line`` of the last code of this folder on the way to where an error was raised."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(folder)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None


def declaration_error(error: Exception) -> str:
    """What is wrong with a declaration that does not run; near names, and files that need each other."""
    if isinstance(error, ImportError) and "circular import" in str(error):
        return f"this file needs {error.name}, which needs this file: move what both need into one of them"
    told = f"{type(error).__name__}: {error}"
    if isinstance(error, NameError) and error.name and error.__traceback__ is not None:
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        return told + close_matches(error.name, [n for n in frame.f_globals if not n.startswith("__")])
    return told


def read_settings(path: Path) -> dict[str, Any]:
    """The content of ``nbo.toml``; a section that nothing reads is a mistake, not a remark."""
    try:
        settings = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"{path}: not found", "Run nbo init DIR to make a workspace") from None
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    for name in settings:
        if name not in SECTIONS:
            raise UsageError(f"{path}: {name}: unknown section{close_matches(name, SECTIONS)}")
    return settings


@cache
def bundled_code() -> Path:
    """The wheel's copy; in a source checkout, the checkout itself."""
    if (BUNDLED / MARKER).is_file():
        return BUNDLED
    return Path(__file__).resolve().parents[2]


def load_package(name: str, code: Path) -> None:
    """Make ``name`` importable from exactly this folder."""
    init = code / name / "__init__.py"
    loaded = sys.modules.get(name)
    if loaded is not None and Path(loaded.__file__ or "").resolve() == init.resolve():
        return
    for stale in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
        del sys.modules[stale]
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(code / name)])
    if spec is None or spec.loader is None or not init.is_file():
        raise UsageError(f"{init}: not found", "Run nbo init DIR to make a workspace")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
