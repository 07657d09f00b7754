"""`velatura data` and `velatura report`, as a person calls them, on a real small dataset."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from core.errors import StoreError, VelaturaError
from curation.curate import curate, ingest
from curation.filter import Filter
from curation.source import Source
from curation.splits import Split
from flows.command_line import app
from flows.home import Home
from store.store import Store
from tests.flows.pictures import six_pictures


class Place:
    """A folder of pictures and the home that it is brought into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pictures = six_pictures(root / "pictures", 8)
        (self.pictures / "the-same-again.png").write_bytes((self.pictures / "shape-00.png").read_bytes())
        (self.pictures / "broken.png").write_bytes((self.pictures / "shape-01.png").read_bytes()[:200])
        (self.pictures / "shape-02.txt").write_text("a drawing")
        self.store = Store.open(Home.of(str(root / "home")).store("shapes"))

    def bring_in(self) -> str:
        """What a run does before it trains; the manifest."""
        filters = [Filter.parse(kind) for kind in ("resolution", "information", "near_duplicate")]
        with self.store.writer():
            ingest(self.store, Source.parse({"kind": "folder", "path": str(self.pictures)}), filters)
            curate(self.store, filters, Split(held_out=0.25))
            return self.store.snapshot().manifest

    def change(self) -> None:
        """A new picture, one that goes, one that is painted over, another caption."""
        six_pictures(self.root / "more", 9)
        (self.root / "more" / "shape-08.png").rename(self.pictures / "new.png")
        (self.pictures / "shape-03.png").unlink()
        (self.pictures / "shape-04.png").write_bytes((self.root / "more" / "shape-05.png").read_bytes() + b"\0")
        (self.pictures / "shape-05.png").unlink()
        (self.pictures / "shape-02.txt").write_text("a better drawing")

    def call(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--home", str(self.root / "home")], catch_exceptions=False)

    def says(self, *words: str) -> str:
        result = self.call(*words)
        assert result.exit_code == 0, result.output
        return re.sub(r"\s+", " ", result.output)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("versions"))
    place.bring_in()
    place.change()
    place.bring_in()
    return place


def test_the_log_lists_versions_newest_first_with_dates_and_names(place: Place) -> None:
    place.call("data", "tag", "data-0001", "first-try")
    said = place.says("data", "log")
    assert re.search(r"data-0002 \d{4}-\d\d-\d\d \d\d:\d\d .* data-0001 .* first-try", said)
    (first, second, *_) = json.loads(place.call("data", "log", "--json").output)
    assert (first["tag"], first["names"], first["uses"]) == ("data-0001", ["first-try"], [])
    assert second["manifest"] == place.store.at("data-0002").manifest
    assert second["taken"] >= first["taken"]


def test_a_difference_names_what_changed(place: Place) -> None:
    said = place.says("data", "diff", "data-0001", "data-0002")
    for part in ("1 added", "new.png", "1 changed", "shape-04.png", "2 removed", "shape-03.png", "1 recaptioned"):
        assert part in said
    assert "shape-02.png: a drawing -> a better drawing" in said
    found = json.loads(place.call("data", "diff", "data-0001", "data-0002", "--json").output)
    assert [row["name"] for row in found["changes"]["removed"]] == ["shape-03.png", "shape-05.png"]
    assert "1 removed" not in place.says("data", "diff", "data-0002", "data-0002")


def test_a_difference_has_a_page_that_stands_on_its_own(place: Place, tmp_path: Path) -> None:
    place.says("data", "diff", "data-0001", "data-0002", "--html", str(tmp_path / "diff.html"))
    page = (tmp_path / "diff.html").read_text()
    assert page.count("data:image/png;base64,") >= 5  # one added, two of the changed, two removed, one recaptioned
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "a drawing → a better drawing" in page


def test_all_that_is_in_a_version_is_counted(place: Place) -> None:
    said = place.says("data", "show", "data-0001")
    for part in ("8 pictures", "1 duplicate", "1 truncated", "1:1: 8", "information", "person: 1"):
        assert part in said
    found = json.loads(place.call("data", "show", "data-0001", "--json").output)
    assert found["verdicts"] == {"kept": 8, "refused": 2}
    assert found["reasons"] == {"duplicate": 1, "truncated": 1}


def test_all_that_is_known_of_a_picture_is_told(place: Place) -> None:
    said = place.says("data", "show", "data-0001", "--picture", "the-same-again.png")
    assert "refused" in said
    assert "the same file as shape-00.png" in said
    kept = re.search(r"the same file as shape-00.png \((\w{32})\)", said)[1]
    assert "shape-00.png" in place.says("data", "show", "--picture", kept), "the words name the record that is kept"
    assert "same bytes shape-00.png" in said
    (story,) = json.loads(place.call("data", "show", "--picture", "shape-02.png", "--json").output)
    assert story["caption"]["text"] == "a better drawing"
    assert story["versions"] == ["data-0001", "data-0002"]
    assert story["record"]["quality"]["information"] > 0


def test_what_is_named_wrongly_is_told(place: Place, tmp_path: Path) -> None:
    for words, message in (
        (["data", "diff", "data-0001", "nix"], "no snapshot 'nix'"),
        (["data", "show", "--picture", "nix.png"], "no picture 'nix.png'"),
        (["data", "show", "--dataset", "shape"], "no dataset 'shape'; did you mean shapes"),
        (["data", "tag", "data-0002", "first-try"], "stands for data-0001"),
        (["data", "tag", "data-0002", "no good"], "cannot name a snapshot"),
    ):
        with pytest.raises(VelaturaError, match=message):
            place.call(*words)
    with pytest.raises(StoreError, match="there is no dataset in"):
        CliRunner().invoke(app, ["data", "log", "--home", str(tmp_path)], catch_exceptions=False)
    assert not list(tmp_path.iterdir())  # asking makes no store


def test_of_two_datasets_one_must_be_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Store.open(Home(tmp_path).store(name)).snapshot()
    with pytest.raises(StoreError, match="has 2 datasets; name one with --dataset: a, b"):
        CliRunner().invoke(app, ["data", "log", "--home", str(tmp_path)], catch_exceptions=False)
    told = CliRunner().invoke(app, ["data", "log", "--home", str(tmp_path), "--dataset", "b"])
    assert "data-0001" in told.output


def test_the_report_shows_what_is_refused_with_the_reason(place: Place, tmp_path: Path) -> None:
    said = place.says("report", "data", "--out", str(tmp_path / "data.html"))
    assert "refused" in said
    page = (tmp_path / "data.html").read_text()
    assert '<div class="missing">truncated</div>' in page  # nothing could be decoded
    assert "ends too early" in page
    assert "the same file as shape-00.png" in page
    assert "Duplicates: 1" in page
    assert re.search(r"Held out: \d+ in \d+ groups", page)
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)


def test_the_report_has_a_bounded_size_and_says_so(place: Place, tmp_path: Path) -> None:
    place.says("report", "data", "data-0001", "--out", str(tmp_path / "data.html"), "--most", "1")
    page = (tmp_path / "data.html").read_text()
    assert "1 of 2 are shown" in page  # of the held-out groups


def test_a_version_is_brought_back_and_a_run_brings_the_present_one_in_again(tmp_path: Path) -> None:
    place = Place(tmp_path)
    first = place.bring_in()
    place.change()
    second = place.bring_in()
    place.store.edit_caption(place.store.records()[0].id, "not in any snapshot yet")
    said = place.says("data", "restore", "data-0001")
    assert "as data-0004: 8 pictures" in said
    assert "the state before is data-0003" in said
    assert "1 added" not in said  # the new picture is no longer there, those that went are
    assert place.store.snapshot().manifest == first
    assert "nothing to do" in place.says("data", "restore", "data-0001")
    assert place.bring_in() == second  # the folder is still what it was
    place.says("data", "restore", "data-0003")
    assert "not in any snapshot yet" in {caption.text for caption in place.store.captions().values()}


def test_an_empty_dataset_can_be_asked_about_and_reported(tmp_path: Path) -> None:
    Store.open(Home(tmp_path).store("empty")).snapshot()
    home = ["--home", str(tmp_path)]
    for words in (["log"], ["show"], ["diff", "data-0001"], ["restore", "data-0001"], ["show", "--json"]):
        assert CliRunner().invoke(app, ["data", *words, *home], catch_exceptions=False).exit_code == 0
    page = tmp_path / "empty.html"
    CliRunner().invoke(app, ["report", "data", *home, "--out", str(page)], catch_exceptions=False)
    assert "0 pictures: 0 to train on" in page.read_text()
