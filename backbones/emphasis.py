r"""Weights in a caption, as the web UI writes them: (word:1.3), (word) is 1.1, [word] is 1/1.1, \( is a parenthesis."""

import re

Weighted = list[tuple[str, float]]
"""pieces of a text, in order, and how much each counts"""

_MARKS = re.compile(r"\\[()\[\]\\]|\(|\[|:\s*([+-]?[.\d]+)\s*\)|\)|\]|[^\\()\[\]:]+|[\\:]")
ROUND, SQUARE = 1.1, 1 / 1.1


def parsed(text: str) -> Weighted:
    """The pieces of a text. Marks that never close weigh what follows them, and one that never opened is a letter."""
    found: Weighted = []
    round_open: list[int] = []
    square_open: list[int] = []

    def weigh(start: int, factor: float) -> None:
        found[start:] = [(words, weight * factor) for words, weight in found[start:]]

    for match in _MARKS.finditer(text):
        mark, weight = match.group(), match.group(1)
        if len(mark) == 2 and mark[0] == "\\":
            found.append((mark[1], 1.0))
        elif mark == "(":
            round_open.append(len(found))
        elif mark == "[":
            square_open.append(len(found))
        elif weight is not None and round_open and number(weight) is not None:
            weigh(round_open.pop(), number(weight) or 0.0)
        elif mark == ")" and round_open:
            weigh(round_open.pop(), ROUND)
        elif mark == "]" and square_open:
            weigh(square_open.pop(), SQUARE)
        else:
            found.append((mark, 1.0))
    for start in round_open:
        weigh(start, ROUND)
    for start in square_open:
        weigh(start, SQUARE)
    return joined(found)


def joined(pieces: Weighted) -> Weighted:
    """Neighbours of one weight as one piece."""
    whole: Weighted = []
    for words, weight in pieces:
        if whole and whole[-1][1] == weight:
            whole[-1] = (whole[-1][0] + words, weight)
        else:
            whole.append((words, weight))
    return whole


def number(text: str) -> float | None:
    """What a weight says; ``None`` for dots and signs that are no number."""
    try:
        return float(text)
    except ValueError:
        return None
