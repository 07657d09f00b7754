"""Bars are readable XML whose lengths follow the counts, whatever the names and numbers."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from evaluation import bars

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn")), max_size=12)


@given(st.dictionaries(NAMES, st.integers(0, 10**7), min_size=1, max_size=12))
def test_every_name_and_count_is_written_and_the_largest_bar_is_the_longest(counts: dict[str, int]) -> None:
    tree = ElementTree.fromstring(bars.rows(counts))
    texts = [text.text or "" for text in tree.iter("text")]
    for name, count in counts.items():
        assert name in texts
        assert f"{count:,}" in texts
    widths = [float(bar.attrib["width"]) for bar in tree.iter("rect")]
    most = max(counts.values())
    assert widths[list(counts.values()).index(most)] == max(widths)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_a_histogram_has_a_bar_for_each_count(counts: list[int]) -> None:
    edges = [float(at) for at in range(len(counts) + 1)]
    tree = ElementTree.fromstring(bars.columns(edges, counts))
    tall = [float(bar.attrib["height"]) for bar in tree.iter("rect")]
    assert len(tall) == len(counts)
    assert [height > 0 for height in tall] == [count > 0 for count in counts]


def test_values_that_are_all_the_same_are_told_instead_of_drawn() -> None:
    assert "All 12 have 0.5." in bars.columns((0.5, 0.5), (12,))
    assert bars.rows({}) == ""
