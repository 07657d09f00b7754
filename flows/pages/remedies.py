"""The page of what was tried on a run: verdicts and figures beneath each other, samples, and what to do."""

from __future__ import annotations

from html import escape
from pathlib import Path
from shlex import quote

from evaluation.document import document
from evaluation.report import Samples
from evaluation.sections import Row, figure_of, table
from evaluation.tags import definitions, img
from evaluation.wording import WORDS
from flows.remedying import Remedies, Tried

COLUMNS = (
    ("learning", "probe/learning"),
    ("gap", "probe/gap"),
    ("copies", "memorisation/copy_rate"),
    ("drift", "prior_drift/relative"),
    ("background", "editability/obeyed"),
)
"""name and figure"""
FEW = 3
"""prompts up to which the networks stand beside each other; more have a column each"""
ACROSS = 4
"""pictures beside each other on a phone"""
BEST = ' class="best"'


def page(found: Remedies, recipe: Path) -> str:
    """The whole page. ``recipe``: the file that what is to be trained again begins with."""
    name = found.job.folder.name
    best, was = found.best, found.tried[0]
    title = f"What helps most: {found.to_do}" if best.kind else sentence(found.to_do)
    header = (
        f'<p class="over">{escape(name)}, step {found.step}: {len(found.tried) - 1} remedies</p>'
        f"<p>{f'{pill(was.verdict.state)} → ' if best.kind else ''}{pill(best.verdict.state)}</p>"
        f'<h1>{escape(title)}</h1><p class="remedy">{escape(best.verdict.words)}</p>{having(best)}'
    )
    sections = [compared(found), notes(found), training(found, recipe), samples(found)]
    return document(f"{name}: remedies", header, sections, "Velatura.")


def pill(state: str) -> str:
    """A verdict in its colour."""
    return f'<span class="state {escape(state.split()[0])}">{escape(state)}</span>'


def having(best: Tried) -> str:
    """How to have what is recommended."""
    return f'<div class="action"><p>How to have it</p><pre>{escape(best.use)}</pre></div>' if best.use else ""


def compared(found: Remedies) -> str:
    """All networks with their figures."""
    rows = [Row(name_of(one), one.measured, one.verdict.state, one is found.best, note_of(one)) for one in found.tried]
    known = [(WORDS[key][0], WORDS[key][1]) for _, key in COLUMNS if any(has(one, key) for one in found.tried)]
    return (
        "<h2>What was tried</h2><p>Each with the same pictures, prompts, seeds and noise, beside the base. Small "
        "figures are 95 % intervals.</p>"
        f"{table(rows, COLUMNS)}{definitions(known)}"
    )


def has(one: Tried, key: str) -> bool:
    """Whether a figure was measured."""
    return figure_of(one.measured, key) is not None


def name_of(one: Tried) -> str:
    """A row's name."""
    return one.name if one.kind else f"as it is ({one.name})"


def note_of(one: Tried) -> str:
    """What stands below it."""
    if one.retrained is not None:
        return f"trained again: {one.retrained.again.why}"
    return one.kind.replace("_", " ")


def training(found: Remedies, recipe: Path) -> str:
    """What needs training: what was trained and where it is, and what can be typed."""
    trained = [one for one in found.tried if one.retrained is not None]
    parts = [f"<h3>{escape(one.name)}</h3>{how(one, recipe)}" for one in trained]
    parts += [
        f'<div class="action"><p>{escape(sentence(one.why))}</p><pre>{escape(command(recipe, one.words))}</pre></div>'
        for one in found.advice
    ]
    return f"<h2>Training again</h2>{''.join(parts)}" if parts else ""


def how(one: Tried, recipe: Path) -> str:
    """Where a trained one is, and how to make it a model of its own."""
    assert one.retrained is not None
    again = one.retrained
    register = command(recipe, f"name={quote(again.job.recipe.name)} {again.again.words}")
    return (
        f'<div class="action"><p>Its weights</p><pre>{escape(one.use)}</pre>'
        f"<p>As a model of its own, registered and with a report; it is not trained again</p>"
        f"<pre>{escape(register)}</pre></div>"
    )


def command(recipe: Path, words: str) -> str:
    """As it is typed."""
    return f"velatura run {quote(str(recipe))} {words}"


def sentence(words: str) -> str:
    """With a capital."""
    return f"{words[:1].upper()}{words[1:]}"


def samples(found: Remedies) -> str:
    """All networks beside each other."""
    if found.shown is None or not found.shown.prompts:
        return ""
    best = found.tried.index(found.best) + 1  # the base comes first
    drawn = by_prompt(found.shown, best) if len(found.shown.prompts) <= FEW else by_network(found.shown, best)
    return f"<h2>Samples of each</h2><p>Of the same prompts and seeds.</p>{drawn}"


def by_prompt(shown: Samples, best: int) -> str:
    """A gallery for each prompt."""
    parts = []
    for prompt, pictures in zip(shown.prompts, shown.pictures, strict=True):
        figures = "".join(
            f"<figure>{img(picture, f'{prompt}, {name}')}"
            f"<figcaption>{f'<b>{escape(name)}</b>' if at == best else escape(name)}</figcaption></figure>"
            for at, (name, picture) in enumerate(zip(shown.columns, pictures, strict=True))
        )
        parts.append(f'<h3>{escape(prompt)}</h3><div class="gallery">{figures}</div>')
    return "".join(parts)


def by_network(shown: Samples, best: int) -> str:
    """A row for each network, a column for each prompt."""
    head = "".join(f'<th scope="col">{escape(prompt)}</th>' for prompt in shown.prompts)
    rows = []
    for at, name in enumerate(shown.columns):
        pictures = zip(shown.prompts, (row[at] for row in shown.pictures), strict=True)
        cells = "".join(f"<td>{img(picture, f'{prompt}, {name}', most=160)}</td>" for prompt, picture in pictures)
        rows.append(f'<tr><th scope="row"{BEST if at == best else ""}>{escape(name)}</th>{cells}</tr>')
    return (
        f'<div class="scroll"><table class="samples even" style="--columns: {ACROSS}; --prompts: {len(shown.prompts)}">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def notes(found: Remedies) -> str:
    """What has to be known of how it was measured."""
    return "".join(f'<p class="quiet">{escape(sentence(note))}.</p>' for note in found.notes)
