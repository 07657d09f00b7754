import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.exchange import changes, table, written
from core.caption import Caption
from core.errors import SourceError
from tests.captioning.things import a_record

RECORDS = [a_record(number) for number in range(1, 5)]
CAPTIONS = {record.id: Caption(record.id, automatic=f"thing {number}") for number, record in enumerate(RECORDS)}
CAPTIONS[RECORDS[0].id] = Caption(RECORDS[0].id, automatic="thing 0", user="my own, words")


def a_file(folder: Path, text: str, suffix: str = ".csv") -> Path:
    path = folder / f"captions{suffix}"
    path.write_text(text, encoding="utf-8", newline="")
    return path


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20), min_size=4, max_size=4
    )
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_what_is_exported_and_imported_changes_nothing(suffix: str, texts: list[str]) -> None:
    captions = {r.id: Caption(r.id, automatic="x", user=text) for r, text in zip(RECORDS, texts, strict=True)}
    with TemporaryDirectory() as folder:
        path = a_file(Path(folder), written(table(RECORDS, captions), suffix), suffix)
        assert changes(path, RECORDS, captions) == {}


def test_only_what_was_changed_is_taken_and_an_empty_caption_gives_the_automatic_one_back(tmp_path: Path) -> None:
    rows = table(RECORDS, CAPTIONS)
    rows[0]["caption"], rows[1]["caption"] = "", " a new one "
    path = a_file(tmp_path, written(rows, ".csv"))
    assert changes(path, RECORDS, CAPTIONS) == {RECORDS[0].id: "", RECORDS[1].id: "a new one"}


@pytest.mark.parametrize(
    "head", ["name;caption\n{};new words\n", "\ufeffname,caption\n{},new words\n", "name\tcaption\n{}\tnew words\n"]
)
def test_what_spreadsheets_make_of_it_is_read_too(tmp_path: Path, head: str) -> None:
    path = a_file(tmp_path, head.format(RECORDS[2].name))
    assert changes(path, RECORDS, CAPTIONS) == {RECORDS[2].id: "new words"}


def test_a_script_may_write_no_more_than_names_and_captions(tmp_path: Path) -> None:
    path = a_file(tmp_path, json.dumps({"name": RECORDS[3].name, "caption": "кот"}) + "\n\n", ".jsonl")
    assert changes(path, RECORDS, CAPTIONS) == {RECORDS[3].id: "кот"}


@pytest.mark.parametrize(
    ("text", "suffix", "words"),
    [
        ("name,caption\nnobody.png,x\n", ".csv", "line 2: 'nobody.png' is no picture"),
        ("name,text\na,b\n", ".csv", "must name the columns"),
        ("", ".csv", "must name the columns"),
        ("name,caption\na\n", ".csv", "line 2: it has another number of columns"),
        (f"name,caption\n{RECORDS[1].name},x\n{RECORDS[1].name},y\n", ".csv", "line 3: .* has two captions"),
        ("{", ".jsonl", "line 1: not JSON"),
        ("[]", ".jsonl", "line 1: expected an object"),
        (f'{{"name": "{RECORDS[1].name}"}}', ".jsonl", "line 1: there is no `caption`"),
        ("x", ".xlsx", "are written and read as"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path: Path, text: str, suffix: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        changes(a_file(tmp_path, text, suffix), RECORDS, CAPTIONS)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        changes(tmp_path / "none.csv", RECORDS, CAPTIONS)
    (tmp_path / "latin.csv").write_bytes(b"name,caption\na,\xe9\xe9\n")
    with pytest.raises(SourceError, match="not UTF-8"):
        changes(tmp_path / "latin.csv", RECORDS, CAPTIONS)
