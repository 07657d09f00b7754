import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import SourceError
from curation.ingest import ingest
from curation.source import Found
from curation.sources.url_list import UrlList
from store.store import Store
from tests.curation import web
from tests.curation.conftest import encoded, scene
from tests.curation.packing import by_name, refused_with
from tests.curation.web import PICTURE, Site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with web.site() as site:
        yield site


def listed(path: Path, site: Site, *names: str, **options: object) -> dict[str, Found]:
    path.write_text("".join(f"{site.url}/{name}\n" for name in names))
    pictures = by_name(UrlList(path=str(path), **{"pause": 0, **options}))
    return {name.partition("/")[2]: one for name, one in pictures.items()}


ROWS = [("http://a.b/1.png", "a red box"), ("http://a.b/2.png?size=2", ""), ("http://a.b/1.png", "the same")]


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "jsonl", "json", "parquet"])
def test_lists_of_every_kind_are_read_with_their_captions_and_each_address_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"list.{kind}"
    rows = [{"URL": url, "TEXT": words} for url, words in ROWS]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif kind == "json":
        path.write_text(json.dumps(rows))
    else:
        mark = "\t" if kind == "tsv" else ","
        text = "\n".join(mark.join(row) for row in [("URL", "TEXT"), *ROWS]) + "\n"
        path.write_bytes(gzip.compress(text.encode()) if kind == "csv.gz" else text.encode())
    source = UrlList(path=str(path))
    assert source.name == "list"
    assert {name: (one.uri, one.caption) for name, one in by_name(source).items()} == {
        "a.b/1.png": ROWS[0],
        "a.b/2.png?size=2": ROWS[1],
    }


def test_a_text_is_a_list_with_an_address_a_line(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# mine\n\nhttp://a.b/1.png\n  https://a.b/2.png\r\nfile:///etc/passwd\n/etc/passwd\n")
    pictures = by_name(UrlList(path=str(path)))
    assert list(pictures) == ["a.b/1.png", "a.b/2.png", "/etc/passwd"]
    assert refused_with(pictures["/etc/passwd"]) == "no_address"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("list.csv", "a,b\n1,2\n", "no column called url, .* it has a, b: name it in `url`"),
        ("list.txt", "# nothing\n", "it has none"),
        ("list.csv", "url\n", "it has none|lists no address"),
        ("list.doc", "x", "no table known here"),
        ("list.jsonl", "{", "line 1 is not JSON"),
        ("gone.txt", None, "does not exist"),
    ],
)
def test_what_is_no_list_is_an_error_in_words(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=words):
        by_name(UrlList(path=str(tmp_path / name)))


def test_what_passes_is_tried_again_and_what_does_not_is_told(tmp_path: Path, site: Site) -> None:
    names = ("busy.png", "wait.png", "cut-once.png", "moved.png", "chunks.png")
    for name, one in listed(tmp_path / "list.txt", site, *names).items():
        assert one.read() == (encoded(scene(7)) if name == "moved.png" else PICTURE)
    assert (site.asked["/busy.png"], site.asked["/wait.png"], site.asked["/cut-once.png"]) == (3, 2, 2)


@pytest.mark.parametrize(
    ("name", "words", "asked"),
    [
        ("gone.png", "the server said 404 Not Found", 1),
        ("cut.png", "the connection ended (early|.* bytes before its end).* \\(3 tries\\)", 3),
        ("slow.png", "it took more than 0.4 s \\(3 tries\\)", 3),
        ("round.png", "redirected without end", 11),
        ("elsewhere.png", "cannot be asked for", 1),
        ("large.png", "too_many_bytes", 1),
        ("large-without-length.png", "too_many_bytes", 1),
        ("asked-not-to.png", "opted_out", 1),
    ],
)
def test_each_failure_is_told_in_words(tmp_path: Path, site: Site, name: str, words: str, asked: int) -> None:
    options = {"retries": 2, "seconds": 0.4, "max_bytes": 1 << 20}
    (picture,) = listed(tmp_path / "list.txt", site, name, **options).values()
    before = site.asked[f"/{name}"]
    with pytest.raises(OSError, match=words) if " " in words else pytest.raises(OSError):
        picture.read()
    assert site.asked[f"/{name}"] - before == asked
    if " " not in words:
        assert refused_with(picture) == words


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        path = tmp_path / "list.txt"
        path.write_text(f"http://127.0.0.1:{taken.getsockname()[1]}/a.png\nhttp://no host/a.png\nhttp:///a.png\n")
        refused, *others = by_name(UrlList(path=str(path), pause=0, retries=1)).values()
        with pytest.raises(OSError, match="no connection: .*refused \\(2 tries\\)"):
            refused.read()
        for picture in others:
            with pytest.raises(OSError):
                picture.read()


def test_a_list_becomes_records_and_only_what_failed_is_asked_for_again(tmp_path: Path, site: Site) -> None:
    names = [*(f"fine/{number}.png" for number in range(20, 40)), "gone.png", "page.png", "asked-not-to.png"]
    path = tmp_path / "list.jsonl"
    path.write_text("\n".join(json.dumps({"url": f"{site.url}/{name}", "caption": name}) for name in names))
    source = UrlList(path=str(path), pause=0, at_once=4)
    store = Store.open(tmp_path / "store")
    site.most_at_once = 0
    first = ingest(store, source)
    assert (first.found, first.new, first.decoded) == (23, 23, 20)
    assert dict(first.refused) == {"not_a_picture": 1, "opted_out": 1, "unreadable": 1}
    # an answer counts a moment longer at the server than the client waits for it; the default is 8
    assert 1 < site.most_at_once < 8
    words = {reason.code: reason.words for record in store.records() for reason in record.reasons}
    assert "404 Not Found" in words["unreadable"]
    assert "a web page" in words["not_a_picture"]
    asked = site.asked.copy()
    again = ingest(store, source)
    assert (again.unchanged, again.read, again.new) == (20, 3, 0)
    assert site.asked - asked == {"/gone.png": 1, "/page.png": 1, "/asked-not-to.png": 1}
