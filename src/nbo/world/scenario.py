"""What happens to the whole operator during a run, told by a TOML file: wars, outages, lost files."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nbo.errors import UsageError
from nbo.world import catalog
from nbo.world.calendar import Floats
from nbo.world.columns import Bools, Ints
from nbo.world.tuning import TUNING, Tuning

__all__ = ["BASE", "DataFault", "Scenario", "Schedule", "read_scenario", "scenario_names"]


class Strict(BaseModel):
    """A table of a scenario file; a key that is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Spell(Strict):
    """Some days of the run: from so many days after its first day, for so many days."""

    from_day: int = Field(ge=0)
    days: int = Field(ge=1)


class PriceWar(Spell):
    """A rival cuts its prices: more accounts are approached, and more bite.

    ``cut`` is the share by which its prices fall, 0 to 1.
    """

    rival: str
    cut: float = Field(gt=0, lt=1)


class Entry(Strict):
    """A rival starts to sell in one exchange area of every neighbourhood, with full strength."""

    rival: str
    area: int = Field(ge=0, lt=catalog.AREAS)
    from_day: int = Field(ge=0)


class Outage(Spell):
    """The network of an area is down: most of its accounts have a fault, and complain of it."""

    area: int = Field(ge=0, lt=catalog.AREAS)


class Holiday(Spell):
    """Offices are closed; ``depth`` 1 is as quiet as Spring Festival."""

    depth: float = Field(gt=0, le=1)


class TariffChange(Strict):
    """Our long-distance charges change by a factor, from a day on."""

    from_day: int = Field(ge=0)
    long_distance: float = Field(gt=0, le=10)


class Pilot(Strict):
    """A randomised trial: in one week this share of the accounts meets an action drawn at random."""

    on_day: int = Field(ge=0)
    share: float = Field(gt=0, le=1)


class DataFault(Strict):
    """Something goes wrong with the files, not with the operator.

    ``missing_day``: no call of that day is in the files. ``duplicated_file``: one file of that day's
    month is there twice. ``late_file``: the month's calls of the first accounts reached us late by
    ``days``.
    """

    kind: Literal["missing_day", "duplicated_file", "late_file"]
    day: int = Field(ge=0)
    days: int = Field(default=0, ge=0, le=365)


class Scenario(Strict):
    """What a scenario file may say.

    ``tuning`` holds numbers of :class:`nbo.world.Tuning` that differ from the usual ones.
    """

    description: str
    tuning: dict[str, Any] = Field(default_factory=dict)
    price_wars: tuple[PriceWar, ...] = Field(default=(), strict=False)
    entries: tuple[Entry, ...] = Field(default=(), strict=False)
    outages: tuple[Outage, ...] = Field(default=(), strict=False)
    holidays: tuple[Holiday, ...] = Field(default=(), strict=False)
    tariff_changes: tuple[TariffChange, ...] = Field(default=(), strict=False)
    pilots: tuple[Pilot, ...] = Field(default=(), strict=False)
    data_faults: tuple[DataFault, ...] = Field(default=(), strict=False)
    name: str = ""

    @model_validator(mode="after")
    def _known_words(self) -> "Scenario":
        rivals = catalog.NETWORK_IDS[1:6]
        for rival in [war.rival for war in self.price_wars] + [entry.rival for entry in self.entries]:
            if rival not in rivals:
                raise ValueError(f"rival: expected one of {', '.join(rivals)}, got {rival!r}")
        TUNING.changed(self.tuning)
        return self

    def tuned(self, tuning: Tuning = TUNING) -> Tuning:
        """The numbers of behaviour under this scenario."""
        return tuning.changed(self.tuning)

    def last_day(self) -> int:
        """The last day of the run, from 0, on which something of this scenario begins."""
        spells: tuple[Spell, ...] = (*self.price_wars, *self.outages, *self.holidays)
        days = [spell.from_day for spell in spells] + [entry.from_day for entry in self.entries]
        days += [change.from_day for change in self.tariff_changes]
        days += [pilot.on_day for pilot in self.pilots]
        return max(days + [fault.day for fault in self.data_faults], default=0)


BASE = Scenario(name="base", description="An operator in ordinary times.")


@dataclass(frozen=True)
class Schedule:
    """A scenario's events on the days of one run; days are day numbers."""

    scenario: Scenario
    first_day: int

    def _on(self, spell: Spell, day: int) -> bool:
        return spell.from_day <= day - self.first_day < spell.from_day + spell.days

    def price_cuts(self, day: int) -> Floats:
        """Share by which each rival has cut its prices, shape (5,)."""
        cuts = np.zeros(len(catalog.RIVALS))
        for war in self.scenario.price_wars:
            if self._on(war, day):
                place = catalog.NETWORK_IDS.index(war.rival) - 1
                cuts[place] = max(cuts[place], war.cut)
        return cuts

    def entered(self, entry: Ints) -> Ints:
        """First day of each rival in each area, shape (areas, 5), with the scenario's entries."""
        told = entry.copy()
        for event in self.scenario.entries:
            told[event.area, catalog.NETWORK_IDS.index(event.rival) - 1] = self.first_day + event.from_day
        return told

    def down(self, day: int, days: int) -> Bools:
        """Areas whose network is down on one of some days, shape (areas,)."""
        areas = np.zeros(catalog.AREAS, dtype=bool)
        for outage in self.scenario.outages:
            areas[outage.area] |= any(self._on(outage, each) for each in range(day, day + days))
        return areas

    def pilot(self, day: int, days: int) -> float:
        """Share of the accounts in a randomised trial on one of some days."""
        within = [p.share for p in self.scenario.pilots if 0 <= self.first_day + p.on_day - day < days]
        return max(within, default=0.0)

    def holiday(self, day: int) -> float:
        """How far the scenario makes a day a holiday, 0 to 1."""
        return max((h.depth for h in self.scenario.holidays if self._on(h, day)), default=0.0)

    def long_distance(self, days: Ints) -> Floats:
        """Factor of our long-distance charges on each day, of the days' shape."""
        factor = np.ones(np.shape(days))
        for change in sorted(self.scenario.tariff_changes, key=lambda change: change.from_day):
            factor = np.where(days - self.first_day >= change.from_day, change.long_distance, factor)
        return factor


def scenario_names() -> list[str]:
    """The scenarios that come with the program."""
    return sorted(
        path.name.removesuffix(".toml") for path in files("nbo.world").joinpath("scenarios").iterdir()
    )


def file_text(path: Path) -> str:
    """The text of a scenario file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"scenario {path.name}: expected a text file in UTF-8 ({error})") from None
    except OSError as error:
        raise UsageError(f"scenario {str(path)[:80]}: cannot be read ({error.strerror})") from None


def read_scenario(name: str) -> Scenario:
    """A scenario by its name, or from a TOML file.

    Raises
    ------
    UsageError
        If there is none of this name, or its file says something that cannot be.

    Examples
    --------
    >>> read_scenario("price_war").price_wars[0].rival
    'unicom'
    >>> read_scenario("peace")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nbo.errors.UsageError: scenario: expected a TOML file or one of base, consumers, ..., got 'peace'.
    """
    known = scenario_names()
    path = Path(name)
    if name in known:
        text = files("nbo.world").joinpath("scenarios", f"{name}.toml").read_text(encoding="utf-8")
    elif path.suffix == ".toml":
        text = file_text(path)
    else:
        raise UsageError(f"scenario: expected a TOML file or one of {', '.join(known)}, got {name!r}")
    try:
        content = tomllib.loads(text)
        if "name" in content:
            raise UsageError(f"scenario {name}: name: expected none, the file's own name is the scenario's")
        return Scenario.model_validate({**content, "name": path.stem if path.suffix else name})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"scenario {name}: expected TOML ({error})") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        told = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"scenario {name}: {place + ': ' if place else ''}{told}") from None
