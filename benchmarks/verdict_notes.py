"""What the proof of the verdict writes down: a line of JSON for each checkpoint, to be judged anew.

A line has what the run's user would see (the probe's losses of 12 pictures a side, the metrics' figures, the training
loss) and, apart, what is true. Nothing is fitted or judged here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdict_plans import Plan
from evaluation.case import Case, chosen
from evaluation.intervals import wilson
from evaluation.metric import Figure, Measured
from evaluation.metrics.memorisation import Memorisation, bound_of
from evaluation.metrics.probe import Probe, ProbeResult, Side

Triple = tuple[str, float, float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """One checkpoint of one run."""

    plan: Plan
    step: int
    train_loss: float
    """mean of the training loss since the checkpoint before"""
    records: tuple[tuple[str, str, Side], ...]
    """record, group and side of each probed picture"""
    base: tuple[tuple[float, ...], ...]
    """the base's losses of each, by timestep"""
    tuned: tuple[tuple[float, ...], ...]
    drift: tuple[Triple, ...]
    truth: Mapping[str, tuple[float, ...]]
    """``unseen``, ``train``, ``known``: rho of each picture"""
    memorisation: tuple[Triple, ...] = ()
    """empty where nothing was drawn"""
    near: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """distances to the nearest trained picture: of the user's ``samples``, the ``base``'s, ``real`` ones; of the
    truth's ``drawn`` and ``unseen``"""
    more: Mapping[str, tuple[Triple, ...]] = field(default_factory=dict)
    """other metrics by kind"""
    seconds: dict[str, float] = field(default_factory=dict)

    def probe(self, most: int = 12, *, swap: Mapping[str, Side] | None = None) -> ProbeResult:
        """The probe of at most so many pictures of either side, those that a run would choose."""
        sides: dict[Side, set[str]] = {}
        for side in ("train", "held_out"):
            own = [Case(record, group, None, {}) for record, group, at in self.records if at == side]  # type: ignore[arg-type]
            sides[side] = {case.record for case in chosen(own, most)}
        rows = [at for at, (record, _, side) in enumerate(self.records) if record in sides[side]]
        named = [self.records[at] for at in rows]
        return Probe().compare(
            np.array(self.base)[rows],
            np.array(self.tuned)[rows],
            [group or record for record, group, _ in named],
            [(swap or {}).get(record, side) for record, _, side in named],
        )

    def measured(self, kind: str) -> Measured | None:
        """The figures of ``memorisation``, ``drift`` or another metric; None where it was not made."""
        if kind == "memorisation" and self.near:
            return self._copies()
        triples = {"memorisation": self.memorisation, "drift": self.drift}.get(kind, self.more.get(kind, ()))
        return Measured(tuple(Figure(*triple) for triple in triples)) if triples else None

    def _copies(self) -> Measured:
        """As the metric would find now, from the distances."""
        found = copies_of(np.array(self.near["samples"]), np.array(self.near["real"]))
        others = [Figure(*triple) for triple in self.memorisation if triple[0] not in ("copy_rate", "copy_chance")]
        return Measured((*found, *others))

    def raw(self, *timesteps: int) -> float:
        """Mean raw loss of the held-out pictures at some of the probe's timesteps."""
        places = [Probe().timesteps.index(timestep) for timestep in timesteps]
        own = [row for row, (_, _, side) in zip(self.tuned, self.records, strict=True) if side == "held_out"]
        return float(np.mean(np.array(own)[:, places]))


def copies_of(samples: NDArray[np.float64], real: NDArray[np.float64]) -> tuple[Figure, Figure]:
    """Copy rate and chance, from (n,) and (m,) distances of samples and of real pictures to the nearest trained one."""
    metric = Memorisation()
    bound, chance = bound_of(real, metric.percentile / 100, metric.line)
    count = int((samples < bound).sum())
    return Figure("copy_rate", count / len(samples), *wilson(count, len(samples))), Figure("copy_chance", chance)


def triples_of(found: Measured) -> tuple[Triple, ...]:
    """Figures as they are written down."""
    return tuple((one.name, float(one.value), float(one.low), float(one.high)) for one in found.figures)


class Notebook:
    """The checkpoints that are done; a line that was cut off is done again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def looks(self) -> Iterator[Look]:
        """All that are whole, the last of equal ones."""
        found: dict[tuple[str, int], Look] = {}
        for line in self.path.read_text().splitlines() if self.path.exists() else []:
            try:
                look = look_of(json.loads(line))
            except ValueError:
                continue
            found[look.plan.name, look.step] = look
        yield from found.values()

    def runs(self, purpose: str = "") -> dict[str, list[Look]]:
        """By the plan's name, in the order of steps."""
        made: dict[str, list[Look]] = {}
        for look in self.looks():
            if look.plan.purpose == purpose or not purpose:
                made.setdefault(look.plan.name, []).append(look)
        return {name: sorted(looks, key=lambda look: look.step) for name, looks in made.items()}

    def add(self, looks: Sequence[Look]) -> None:
        """Put a run down."""
        cut_off = self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write("\n" * cut_off + "".join(json.dumps(rounded(asdict(look))) + "\n" for look in looks))


def look_of(value: dict[str, Any]) -> Look:
    """A line of the notebook."""
    plan = value.pop("plan")
    for gone in ("raw", "leaked"):  # what older notebooks have
        value.pop(gone, None)
    plan["changes"] = tuple(plan["changes"])
    return Look(Plan(**plan), **{name: fixed(item) for name, item in value.items()})


def fixed(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(value, dict):
        return {name: fixed(item) for name, item in value.items()}
    return tuple(fixed(item) for item in value) if isinstance(value, list) else value


def rounded(value: Any) -> Any:
    """Six digits are enough."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value
