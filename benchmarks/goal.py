"""One figure beside what is asked of it, as every benchmark prints it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure; ``asked`` is empty for one that is only told."""

    what: str
    figure: str
    asked: str = ""
    met: bool = True

    def __str__(self) -> str:
        mark = ("ok   " if self.met else "SHORT") if self.asked else "     "
        return f"{mark} {self.what:<62} {self.figure:>20}{f'   goal: {self.asked}' if self.asked else ''}"
