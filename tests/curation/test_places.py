from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SourceError
from curation.patterns import in_braces, is_pattern, matching
from curation.places import LAST, Place, dated, is_url, seconds_of, stat_of


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a", ["a"]),
        ("a-{08..10}.tar", ["a-08.tar", "a-09.tar", "a-10.tar"]),
        ("{2..0}", ["2", "1", "0"]),
        ("{a,b}/{0..1}", ["a/0", "a/1", "b/0", "b/1"]),
        ("a{b}c{}", ["a{b}c{}"]),
    ],
)
def test_braces_are_spelled_out_as_a_shell_does(pattern: str, expected: list[str]) -> None:
    assert in_braces(pattern) == expected


def test_braces_without_end_are_refused() -> None:
    for pattern in ("{0..99999999999}", "{0..999}" * 4):
        with pytest.raises(SourceError, match="more than"):
            in_braces(pattern)


@given(st.text(max_size=40))
def test_any_text_can_be_asked_whether_it_is_a_pattern(text: str) -> None:
    assert isinstance(is_url(text), bool)
    assert in_braces(text)
    if "\0" not in text:
        assert isinstance(is_pattern(text), bool)


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path) -> None:
    for name in ("a[1].zip", "a1.zip", "{x,y}.zip"):
        (tmp_path / name).write_bytes(b"")
    assert [place.name for place in matching(f"{tmp_path}/a[1].zip")] == ["a[1].zip"]
    assert [place.name for place in matching(f"{tmp_path}/{{x,y}}.zip")] == ["{x,y}.zip"]
    assert [place.name for place in matching(f"{tmp_path}/a*.zip")] == ["a1.zip", "a[1].zip"]
    assert [place.name for place in matching(f"{tmp_path}/{{p,q}}.zip")] == ["p.zip", "q.zip"]


def test_a_local_place_is_read_in_parts_and_a_file_url_is_local(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"0123456789")
    place = Place.of(f"file://{tmp_path}/a.bin")
    assert place.is_local and place == Place.of(f"{tmp_path}/sub/../a.bin")
    assert (place.read(), place.read(2, 3), place.read(8, 9)) == (b"0123456789", b"234", b"89")
    assert place.stat().size == 10 and place.parent.stat().is_folder
    assert Place.of("https://example.org/a/b.zip?token=c/d").name == "b.zip"


@given(st.one_of(st.floats(), st.integers(), st.floats(0, LAST)), st.one_of(st.none(), st.text()))
def test_a_date_always_fits_into_the_store(seconds: float, mark: str | None) -> None:
    assert 0 <= dated(seconds, mark) < 1 << 63


def test_a_newer_date_is_larger_whatever_the_marks() -> None:
    assert dated(5, "b") < dated(6, "a") < dated(7)
    assert dated(5, "a") != dated(5, "b")


def test_dates_are_read_as_remote_file_systems_write_them() -> None:
    when = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    for date in (when, when.replace(tzinfo=None), when.isoformat(), when.timestamp(), when + timedelta(microseconds=3)):
        assert int(seconds_of(date)) == 1714979289
    assert seconds_of("yesterday") == seconds_of(None) == 0
    assert stat_of({"size": None, "type": "directory"}).is_folder
