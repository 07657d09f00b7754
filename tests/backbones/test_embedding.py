import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backbones import embedding
from backbones.ahead import ahead
from backbones.clip import Clip
from backbones.embedding import Embedder
from core.cache import Array, Memory
from core.errors import MissingBase
from core.pixels import Pixels
from core.progress import shown_by
from core.record import Record
from tests.backbones.pictures import picture, read, record


class Counting(Memory):
    """A cache that remembers what was put away together."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[int] = []

    def put(self, arrays: dict[str, Array]) -> None:
        self.puts.append(len(arrays))
        super().put(arrays)


def test_vectors_are_those_of_a_bare_loop_of_open_clip_bit_for_bit(clip: Clip) -> None:
    pictures = [picture(seed) for seed in range(16)]
    with torch.inference_mode():
        batch = torch.stack([clip.prepare(Image.fromarray(one)) for one in pictures])
        bare = clip.model.encode_image(batch, normalize=True).numpy()
    ours = Embedder.of(clip, Memory()).pictures([record(seed) for seed in range(16)], read)
    np.testing.assert_array_equal(ours, bare)


def test_a_picture_has_the_same_vector_whoever_is_beside_it(clip: Clip) -> None:
    records = [record(seed) for seed in range(37)]
    whole = Embedder.of(clip, Memory()).pictures(records, read)
    for some in ([36], [5, 4, 3], list(range(20, 37))):
        part = Embedder.of(clip, Memory()).pictures([records[at] for at in some], read)
        np.testing.assert_array_equal(part, whole[some])


def test_a_reader_that_can_is_asked_for_whole_batches(clip: Clip) -> None:
    asked: list[int] = []

    class Together:
        def __call__(self, one: Record) -> Pixels:
            raise AssertionError("one by one takes five times as long")

        def several(self, some: list[Record]) -> Iterator[Pixels]:
            asked.append(len(some))
            return map(read, some)

    records = [record(seed) for seed in range(37)]
    made = Embedder.of(clip, Memory()).pictures(records, Together())
    assert sorted(asked) == [5, 16, 16]
    np.testing.assert_array_equal(made, Embedder.of(clip, Memory()).pictures(records, read))


def test_each_content_is_read_once_and_stands_wherever_it_is_asked_for(clip: Clip) -> None:
    seen: list[str] = []

    def counted(of: Record) -> Pixels:
        seen.append(of.id)
        return read(of)

    embedder = Embedder.of(clip, Memory())
    asked = [record(1), record(2), record(1)]
    vectors = embedder.pictures(asked, counted)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    again = embedder.pictures([record(3), *asked], counted)
    np.testing.assert_array_equal(again[1:], vectors)
    assert sorted(seen) == ["record-1", "record-2", "record-3"]


def test_a_run_that_stops_keeps_what_it_has_seen_and_the_next_goes_on_from_there(clip: Clip) -> None:
    cache, records = Memory(), [record(seed) for seed in range(100)]
    seen: list[str] = []
    lock = threading.Lock()

    def failing(of: Record) -> Pixels:
        with lock:
            seen.append(of.id)
        if of.id == "record-70":
            raise RuntimeError("the disk is gone")
        return read(of)

    embedder = Embedder.of(clip, cache)
    with pytest.raises(RuntimeError, match="the disk is gone"):
        embedder.pictures(records, failing)
    there = len(cache.get([embedder.key(one) for one in records]))
    assert there == 64, "all batches before the one that failed"
    done: list[tuple[int, int]] = []
    with shown_by(lambda label, count, total: done.append((count, total))):
        vectors = embedder.pictures(records, read)
    assert done[0] == (0, 36) and done[-1] == (36, 36)
    np.testing.assert_array_equal(vectors, Embedder.of(clip, Memory()).pictures(records, read))


def test_vectors_are_put_away_while_others_are_made(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "SAVED_EVERY", -1.0)
    cache = Counting()
    Embedder.of(clip, cache).pictures([record(seed) for seed in range(40)], read)
    assert cache.puts == [16, 16, 8, 0]


def test_words_are_embedded_once(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = Embedder.of(clip, Memory())
    words = embedder.texts(["a cat", "a dog", "a cat"])
    np.testing.assert_array_equal(words, clip.embed_texts(["a cat", "a dog", "a cat"]))
    assert embedder.scale == pytest.approx(clip.scale)
    monkeypatch.setattr(Clip, "embed_texts", None)
    np.testing.assert_array_equal(embedder.texts(["a dog"]), words[1:2])
    assert embedder.texts([]).shape == (0, 0)


def test_where_all_is_cached_neither_torch_nor_the_clip_is_loaded(clip_folder: Path, tmp_path: Path) -> None:
    code = f"""
import sys
import numpy as np
from core.cache import Memory
from core.record import Record
from backbones.embedding import Embedder
cache = Memory()
embedder = Embedder.named("local-dir:{clip_folder}", cache)
one = Record("1", "1", "s", "1", "1")
cache.put({{embedder.key(one): np.ones(4, np.float32)}})
assert embedder.pictures([one], None).tolist() == [[1, 1, 1, 1]]
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_clip_that_is_not_there_is_told_before_a_picture_is_read() -> None:
    with pytest.raises(MissingBase, match="no folder /nowhere"):
        Embedder.named("local-dir:/nowhere", Memory())


def test_work_done_ahead_comes_in_order_and_an_error_where_its_turn_is() -> None:
    def half(number: int) -> int:
        if number % 2:
            raise ValueError(f"{number} is odd")
        return number // 2

    assert list(ahead(half, range(0, 200, 2))) == list(range(100))
    got = ahead(half, [0, 2, 4, 5, 6])
    assert [next(got) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="5 is odd"):
        next(got)


def test_work_is_done_no_further_ahead_than_there_is_room_for() -> None:
    taken: list[int] = []

    def items() -> object:
        for number in range(10_000):
            taken.append(number)
            yield number

    got = ahead(lambda number: number, items())
    assert next(got) == 0
    assert len(taken) < 100
    got.close()
