from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from evaluation.metric import Evidence, Gallery, Subject
from evaluation.metrics.memorisation import Memorisation
from evaluation.metrics.prior_drift import PriorDrift
from evaluation.metrics.probe import Probe, ProbeResult
from evaluation.page import page
from evaluation.report import Dataset, Nearest, Refusal, ReportData, Samples, write_report
from evaluation.tags import data_uri
from evaluation.verdict import judge
from tests.evaluation.things import TinyBackbone, picture, train

VOID = {"meta", "img", "br", "link", "input"}


class Reader(HTMLParser):
    """Reads a page as a browser would: which tags are open, what is referred to, what can be read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in {"src", "href", "srcset", "data", "action", "xlink:href"}
        ]
        if tag not in VOID:
            self.open.append(tag)  # of a tag that closes itself, the end is told next

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def data(base: TinyBackbone, evidence: Evidence, samples: Gallery, curve: dict[int, ProbeResult]) -> ReportData:
    tuned = train(base, evidence.train, 100)
    measured = {}
    for metric in (Memorisation(side=16), PriorDrift()):
        before, after = (metric.observe(Subject(network, evidence, samples)) for network in (base, tuned))
        measured[metric.kind] = metric.measure(before, after, evidence)
    return ReportData(
        title="cats <b>&</b> dogs",
        made="22 November 2026",
        verdict=judge(curve),
        curve=curve,
        measured=measured,
        losses=[(step, 0.1 + 1 / (step + 1)) for step in range(300)],
        samples=Samples(
            ("a cat", 'a "dog" <3'),
            ("base", "step 100"),
            ((picture(1), picture(2)), (picture(3), picture(4))),
            "step 100",
        ),
        nearest=[
            Nearest(picture(5), picture(6), "a cat", 0.02, 0.01, True),
            Nearest(picture(7), picture(8), "x", 0.3, 0.4, False),
        ],
        dataset=Dataset(
            "data-0001",
            "ab" * 32,
            train=16,
            held_out=12,
            made=32,
            groups=28,
            refused=(Refusal("too_small", "smaller than 64 pixels", 3, (picture(9),)),),
            duplicates=((picture(10), picture(11)),),
            pictures=(picture(12), np.zeros((300, 500, 3), np.uint8)),
            notes=("a picture joined two groups",),
        ),
        recipe="train:\n  steps: 400 # <fast>",
        facts=[("base", "pocket")],
        files=[("adapter", "runs/1/adapter.safetensors")],
    )


def test_the_page_refers_to_nothing_outside_itself(data: ReportData) -> None:
    html = page(data)
    reader = Reader(html)
    assert reader.addresses and all(address.startswith("data:image/") for address in reader.addresses)
    assert not {"script", "link", "iframe", "object", "base", "form", "a"} & set(reader.tags)
    assert "url(" not in html and "@import" not in html and "http:" not in html and "https:" not in html
    assert "default-src 'none'" in html
    assert reader.open == []


def test_every_figure_with_its_interval_is_on_the_page(data: ReportData) -> None:
    text = Reader(page(data)).text
    for measured in (*data.curve.values(), *data.measured.values()):
        for figure in measured.figures:
            for value in (figure.value, figure.low, figure.high):
                if np.isfinite(value):
                    assert f"{value:.4f}".replace("-", "−") in text, figure.name


def test_what_was_found_stands_on_top_in_words(data: ReportData) -> None:
    html = page(data)
    top = html[html.index("<body>") : html.index("<svg")]
    for words in (data.verdict.state, data.verdict.words, data.verdict.remedy):
        assert escape(words) in top
    assert f"best: step {data.verdict.best_step}" in html


def test_words_of_people_are_shown_and_not_run(data: ReportData) -> None:
    html = page(data)
    assert "cats &lt;b&gt;&amp;&lt;/b&gt; dogs" in html and "<b>&</b>" not in html
    assert "400 # &lt;fast&gt;" in html
    assert "a &quot;dog&quot; &lt;3" in html


def test_pictures_refusals_and_files_are_there(data: ReportData) -> None:
    html = page(data)
    for part in (picture(1), picture(5), picture(6), picture(9), picture(12)):
        assert data_uri(part) in html
    text = Reader(html).text
    for words in (
        "smaller than 64 pixels",
        "a picture joined two groups",
        "runs/1/adapter.safetensors",
        "data-0001",
        "pocket",
    ):
        assert words in text
    assert "1 of these 2 count as copies" in text


def test_a_page_of_a_run_that_has_only_a_probe_is_whole(curve: dict[int, ProbeResult]) -> None:
    one = {100: curve[100]}
    reader = Reader(page(ReportData("one", "today", judge(one), one)))
    assert reader.open == [] and "Training loss" not in reader.text


def test_too_little_to_say_is_said_and_not_drawn(curve: dict[int, ProbeResult]) -> None:
    sides = ["train"] * len(curve[100].side)
    one_sided = Probe(timesteps=(500,)).compare(
        np.ones((len(sides), 1)), np.exp(curve[100].rho)[:, None], curve[100].groups, sides
    )
    curve = {0: one_sided, 100: one_sided}
    text = Reader(page(ReportData("one", "today", judge(curve), curve))).text
    assert "not enough evidence" in text and "too few pictures for an interval" in text and "nan" not in text.lower()


def test_the_same_run_makes_the_same_page_and_writes_it_whole(data: ReportData, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_report(tmp_path / name, data)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_large_pictures_are_made_smaller_and_small_ones_kept_exactly() -> None:
    assert data_uri(picture(1)).startswith("data:image/png")
    assert len(data_uri(np.random.default_rng(0).integers(0, 256, (2000, 3000, 3), np.uint8))) < 200_000
