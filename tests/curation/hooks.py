"""Filters that misbehave on pictures of one colour, for the tests of the workers."""

import os

from core.record import Reason
from curation.filter import Batch, Filter
from curation.view import View

FATAL, ENDLESS, GREEDY, WRONG = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


class Trap(Filter):
    def measure(self, view: View) -> dict[str, float]:
        colour = tuple(int(value) for value in view.pixels[0, 0])
        if colour == FATAL:
            os._exit(3)
        while colour == ENDLESS:
            pass
        if colour == GREEDY:
            bytearray(1 << 40)
        if colour == WRONG:
            raise KeyError("a mistake")
        print("a library that prints")
        return {"trap": 1.0}

    def judge(self, _: Batch) -> dict[str, Reason]:
        return {}
