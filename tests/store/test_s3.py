"""The store in a bucket: what a folder holds, it holds too, with four writers at once as well."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from core.caption import Caption
from core.errors import StoreError
from store.folder import point
from store.store import Store
from tests.s3 import environment, make_bucket, s3_server
from tests.store.things import a_caption, a_record, all_rows, an_image

NUMBERS = range(6)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(address).items():
            patch.setenv(name, value)
        make_bucket("pictures", address)
        yield address


def fill(uri: str) -> Store:
    """What a run writes."""
    store = Store.open(uri)
    store.put_images(an_image(number) for number in NUMBERS)
    store.put_records(a_record(number) for number in NUMBERS)
    store.put_captions(a_caption(number) for number in NUMBERS)
    store.cache("latents").put({f"key-{number}": np.full(3, number) for number in NUMBERS})
    return store


def test_a_bucket_holds_what_a_folder_holds_and_has_the_same_manifests(server: str, tmp_path: Path) -> None:
    near, far = fill(str(tmp_path / "near")), fill("s3://pictures/far")
    assert near.snapshot().manifest == far.snapshot().manifest
    for store in (near, far):
        store.edit_captions({a_record(1).id: "by hand"}, "one")
    second = far.snapshot()
    assert second.manifest == near.snapshot().manifest
    assert far.restore("data-0001")[1].manifest == near.restore("data-0001")[1].manifest != second.manifest
    again = Store.open("s3://pictures/far/")
    assert again.records() == near.records()
    assert again.image(an_image(3).sha256) == an_image(3).data
    assert again.records(tag="data-0002") == near.records(tag="data-0002")
    np.testing.assert_array_equal(again.cache("latents").get(["key-2"])["key-2"], np.full(3, 2))
    assert again.let_go(timedelta(0), delete=True) >= 0


def test_writers_at_once_leave_each_row_once(server: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        stores = list(threads.map(fill, ["s3://pictures/busy"] * 2))
    for table, key in [("images", "sha256"), ("records", "id"), ("captions", "record"), ("latents", "key")]:
        keys = [row[key] for row in all_rows(stores[0], table)]
        assert len(keys) == len(set(keys)) == len(NUMBERS), f"duplicates in {table}"
    assert len({store.snapshot().manifest for store in stores}) == 1


def test_a_folder_may_say_that_its_store_is_in_a_bucket(server: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    point(folder, "s3://pictures/mine")
    point(folder, "s3://pictures/mine")
    Store.open(folder).put_captions([Caption("a", user="by hand")])
    assert Store.open("s3://pictures/mine").captions()["a"].user == "by hand"
    assert Store.open(folder).uri == "s3://pictures/mine"
    with pytest.raises(StoreError, match="is kept at s3://pictures/mine, not at s3://pictures/other"):
        point(folder, "s3://pictures/other")
    Store.open(tmp_path / "own")
    with pytest.raises(StoreError, match="take `store:` out of the recipe"):
        point(tmp_path / "own", "s3://pictures/own")


def test_a_bucket_that_is_not_there_is_an_error_in_words(server: str) -> None:
    with pytest.raises(StoreError, match="s3://no-such-bucket-at-all/x cannot be reached: NoSuchBucket"):
        Store.open("s3://no-such-bucket-at-all/x")
