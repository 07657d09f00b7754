"""Where heavy work is done changes nothing in what comes of it."""

from pathlib import Path

from core.engine import HERE
from core.snapshot import Snapshot
from flows.encoding_ahead import encode
from flows.job import Job
from flows.material import gather
from flows.recipe import check
from tests.flows.engines import Elsewhere, arrays, prepared
from tests.flows.pictures import SMALL, six_pictures


def test_an_engine_elsewhere_gives_the_same_dataset_vectors_latents_and_key(tmp_path: Path) -> None:
    pictures = six_pictures(tmp_path / "pictures")
    (pictures / "broken.png").write_bytes(b"no picture")
    here, job = prepared(HERE, tmp_path / "here", pictures, "outlier")
    there, same = prepared(Elsewhere(), tmp_path / "there", pictures, "outlier")
    assert (same.key, same.snapshot.manifest) == (job.key, job.snapshot.manifest)
    assert there.records() == here.records()
    assert there.captions() == here.captions()
    assert arrays(there, "embeddings") == arrays(here, "embeddings")
    encode(same, there, Elsewhere())
    gather(job, here, job.recipe.family.load(device="cpu"))
    for table, least in (("latents", 8), ("text_states", 2)):
        made = arrays(there, table)
        assert len(made) >= least
        assert made.items() <= arrays(here, table).items(), f"other {table}"


def test_weights_do_not_tell_where_they_were_prepared(tmp_path: Path) -> None:
    pictures = {"kind": "folder", "path": str(tmp_path)}
    one, other = (check(SMALL | {"pictures": pictures, "engine": kind}, "test") for kind in ("local", "ray"))
    assert one.engine.kind == "local" and other.engine.kind == "ray"
    assert one.model_key("manifest") == other.model_key("manifest")
    snapshot = Snapshot("store", "data-0001", 6, 2, "manifest")
    assert Job(tmp_path, "key", one, snapshot).metadata() == Job(tmp_path, "key", other, snapshot).metadata()
