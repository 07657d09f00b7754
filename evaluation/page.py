"""The report's page, section by section. Nothing in it is fetched: pictures, curves and styles are inside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from evaluation.charts import Line, chart, number, smoothed, vertical_limits, whisker
from evaluation.document import document
from evaluation.metric import Figure
from evaluation.metrics.probe import ProbeResult
from evaluation.report import Dataset, Nearest, ReportData, Samples
from evaluation.sections import KEY, for_both, in_words, strength
from evaluation.tags import definitions, figure_table, folded, img, percent, signed, thumbs, tile


def page(data: ReportData) -> str:
    """The whole page."""
    sections = [
        _tiles(data),
        _curves(data) if data.along_steps else "",
        strength(data.measured),
        _by_timestep(data.curve) if data.along_steps else "",
        _samples(data.samples),
        _nearest(data.nearest),
        in_words({"probe": data.curve[data.verdict.step], **data.measured}),
        _losses(data.losses),
        _dataset(data.dataset),
        _figures(data),
        _run(data),
    ]
    footer = f"Velatura, {escape(data.made)}."
    return document(f"{data.title}: {data.verdict.state}", _headline(data), sections, footer)


def _headline(data: ReportData) -> str:
    verdict = data.verdict
    others = "".join(f"<p>{escape(f'{one.words} {one.remedy}')}</p>" for one in verdict.findings[1:])
    also = f'<div class="also"><p class="quiet">Also</p>{others}</div>' if others else ""
    return (
        f'<p class="over">{escape(data.title)}</p>'
        f'<p class="state {escape(verdict.state.split()[0])}">{escape(verdict.state)}</p>'
        f'<h1>{escape(verdict.words)}</h1><p class="remedy">{escape(verdict.remedy)}</p>{also}'
    )


def _tiles(data: ReportData) -> str:
    whole, best = data.measured.get("probe"), data.verdict.best_step
    now = whole if isinstance(whole, ProbeResult) else data.curve[data.verdict.step]
    low, high = vertical_limits([Line("", "", (0.0, 1.0), (now.learning, now.gap))])
    saved = -math.expm1(-now.learning.value)
    less = (
        f"{percent(abs(saved))} {'less' if saved >= 0 else 'more'} error" if math.isfinite(saved) else "Error unknown"
    )
    tiles = [
        tile(
            less,
            f"than the base, on pictures of this kind that it has never seen (learning {signed(now.learning.value)})",
            now.learning,
            whisker(now.learning, low=low, high=high),
            style="learning",
            write=lambda end: percent(-math.expm1(-end)),
        ),
        tile(
            f"{signed(now.gap.value)} gap" if math.isfinite(now.gap.value) else "Gap unknown",
            "how much better it knows the trained pictures than others of their kind; 0 is none",
            now.gap,
            whisker(now.gap, low=low, high=high),
            style="gap",
        ),
    ]
    if (copies := data.measured.get("memorisation")) is not None:
        rate = copies["copy_rate"]
        words = "of the samples are nearer to a training picture than different real pictures are to each other"
        tiles.append(tile(f"{percent(rate.value)} copies", words, rate, whisker(rate, low=0, high=1), write=percent))
    if (drift := data.measured.get("prior_drift")) is not None:
        relative = drift["relative"]
        most = max(1.5, relative.high if math.isfinite(relative.high) else 0.0)
        words = "change on what the base knew before, in units of the base's own error; 1 is much"
        tiles.append(tile(f"{number(relative.value)} drift", words, relative, whisker(relative, low=0, high=most)))
    if not data.along_steps:
        return f'<div class="tiles">{"".join(tiles)}</div>'
    kept = "is the base itself: nothing later is better" if best == 0 else "has the most learning, or ties with it"
    judged = f"judged here: step {data.verdict.step}"
    tiles.append(f'<div class="tile"><b>Step {best}</b><small>{kept}</small><small>{judged}</small></div>')
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _lines(curve: Mapping[int, ProbeResult], suffix: str = "", *, dots: bool = True) -> list[Line]:
    steps = sorted(curve)
    return [
        Line(kind, kind, tuple(map(float, steps)), tuple(curve[step][kind + suffix] for step in steps), dots)
        for kind in ("learning", "gap")
    ]


def _curves(data: ReportData) -> str:
    last, best = data.curve[max(data.curve)], data.verdict.best_step
    counts = f"{last.count('train')} trained and {last.count('held_out')} held-out"
    drawn = for_both(
        [
            chart(
                _lines(data.curve),
                width=width,
                height=height,
                across="step",
                up="log of error ratio; 0 is the base",
                mark=(best, f"best: step {best}"),
            )
            for width, height in ((980, 330), (360, 260))
        ]
    )
    return (
        "<h2>What it learned, and what it learned by heart</h2>"
        "<p>Learning: how much less it errs than the base on pictures it never trained on. Gap: how much more it "
        "gained on the trained ones. A good run rises in learning and keeps the gap low; where learning turns down "
        f"and the gap opens, it has begun to memorise. While it trained, {counts} pictures were looked at (the figures "
        "above are of all), with the same noise for base and tuned model; bands are 95 % intervals.</p>"
        f'<div class="panel">{KEY}{drawn}</div>'
    )


def _by_timestep(curve: Mapping[int, ProbeResult]) -> str:
    panels = {t: _lines(curve, f"_t{t}", dots=False) for t in curve[min(curve)].timesteps}
    limits = vertical_limits([line for lines in panels.values() for line in lines])
    drawn = "".join(
        f'<div class="panel"><h3>t = {t}</h3>'
        f"{chart(lines, width=250, height=170, across='step', up='', limits=limits)}</div>"
        for t, lines in panels.items()
    )
    return (
        "<h2>By amount of noise</h2>"
        "<p>Little noise (small t) is about strokes, edges and colour; much noise (large t) about what is where.</p>"
        f'{KEY}<div class="small">{drawn}</div>'
    )


def _samples(samples: Samples | None) -> str:
    if samples is None:
        return ""
    head = "".join(
        f'<th scope="col"{_class("best", name == samples.best)}>{escape(name)}</th>' for name in samples.columns
    )
    rows = []
    for prompt, pictures in zip(samples.prompts, samples.pictures, strict=True):
        named = zip(pictures, samples.columns, strict=True)
        cells = "".join(f"<td>{img(picture, f'{prompt}, {name}')}</td>" for picture, name in named)
        rows.append(f'<tr><th scope="row">{escape(prompt)}</th>{cells}</tr>')
    return (
        "<h2>Samples beside the base's</h2><p>Each row is one prompt with one seed.</p>"
        f'<div class="scroll"><table class="samples" style="--columns: {len(samples.columns)}">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _nearest(pairs: Sequence[Nearest]) -> str:
    if not pairs:
        return ""
    shown = "".join(
        f"<figure{_class('copied', pair.copied)}>"
        f"<div>{img(pair.sample, 'sample')}{img(pair.training, 'nearest training picture')}</div>"
        f"<figcaption>{'<b>copy</b> · ' if pair.copied else ''}{escape(pair.prompt)}<br>"
        f"apart by {pair.pixel:.2f} in pixels, {pair.clip:.2f} to CLIP</figcaption></figure>"
        for pair in pairs
    )
    copies = sum(pair.copied for pair in pairs)
    lead = f"{copies} of these {len(pairs)} count as copies." if copies else "None of these counts as a copy."
    return (
        "<h2>Samples beside their nearest training picture</h2>"
        f"<p>Left the sample, right the training picture that it resembles most. {lead}</p>"
        f'<div class="pairs">{shown}</div>'
    )


def _class(name: str, wanted: bool) -> str:
    return f' class="{name}"' if wanted else ""


def _losses(losses: Sequence[tuple[int, float]]) -> str:
    known = [(step, value) for step, value in losses if math.isfinite(value)]
    if len(known) < 2:
        return ""
    lines = []
    for style, most in (("faint", 400), ("loss", 30)):
        means = smoothed([value for _, value in known], most)
        at = tuple(float(known[position][0]) for position, _ in means)
        lines.append(Line(style, style, at, tuple(Figure("loss", value) for _, value in means), dots=False))
    sizes = ((980, 220), (360, 220))
    drawn = for_both([chart(lines, width=w, height=h, across="step", up="training loss") for w, h in sizes])
    return (
        "<h2>Training loss</h2>"
        "<p>For the record. It is mostly the noise that happened to be drawn, and cannot tell whether a run is "
        f'overfitted.</p><div class="panel">{drawn}</div>'
    )


def _dataset(dataset: Dataset | None) -> str:
    if dataset is None:
        return ""
    counts = [
        ("trained on", f"{dataset.train} pictures" + (f" and {dataset.made} made from them" if dataset.made else "")),
        ("held out", f"{dataset.held_out} pictures, never trained on"),
        *([("different", f"{dataset.groups}; near-duplicates count as one")] if dataset.groups else []),
        ("refused", f"{sum(one.count for one in dataset.refused)} pictures"),
        ("snapshot", f"{dataset.snapshot}, manifest {dataset.manifest[:16]}"),
    ]
    parts = ["<h2>The pictures</h2>", *(f"<p>{escape(note)}</p>" for note in dataset.notes), definitions(counts)]
    if dataset.refused:
        rows = "".join(
            f'<tr><td class="n">{one.count}</td><td>{escape(one.words or one.code)}</td>'
            f"<td>{thumbs(one.pictures)}</td></tr>"
            for one in dataset.refused
        )
        head = '<thead><tr><th class="n">refused</th><th>why</th><th></th></tr></thead>'
        parts.append(f'<table class="plain">{head}<tbody>{rows}</tbody></table>')
    if dataset.duplicates:
        groups = "".join(f"<tr><td>{thumbs(group)}</td></tr>" for group in dataset.duplicates)
        shown = f"Near-duplicates, a group to a line ({len(dataset.duplicates)} shown)"
        parts.append(folded(shown, f'<table class="plain"><tbody>{groups}</tbody></table>'))
    if dataset.pictures:
        trained = "".join(img(picture, "training picture") for picture in dataset.pictures)
        parts.append(f'<div class="pictures">{trained}</div>')
    return "".join(parts)


def _figures(data: ReportData) -> str:
    """Every figure there is, for who wants to check."""
    names = {kind: kind.replace("_", " ").capitalize() for kind in data.measured}
    return "".join(
        [
            "<h2>All figures</h2><p>Intervals hold 95 %, over groups of near-duplicates.</p>",
            *(
                folded(f"Probe at step {step}, while it trained", figure_table(data.curve[step].figures))
                for step in sorted(data.curve)
            ),
            *(
                folded(f"{names[kind]} at step {data.verdict.step}, at the end", figure_table(one.figures))
                for kind, one in data.measured.items()
            ),
        ]
    )


def _run(data: ReportData) -> str:
    told = definitions(data.facts) + definitions(data.files, code=True)
    recipe = folded("Recipe", f"<pre>{escape(data.recipe)}</pre>") if data.recipe else ""
    return f"<h2>The run</h2>{told}{recipe}" if told or recipe else ""
