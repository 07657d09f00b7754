"""Bases by their hub name: from the local cache, from a hub that is there, and a word at once where none is."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from backbones import hub
from backbones.family import family_of
from backbones.quiet import OURS
from core.errors import MissingBase

NAME = "somebody/small-model"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's, and nobody to ask."""
    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused_port()}")
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HF_HUB_OFFLINE", OURS):
        monkeypatch.delenv(proxy, raising=False)
    return folder


def unused_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def put(cache: Path, folder: Path) -> Path:
    """The folder in the cache, as the hub's library lays it out."""
    model = cache / f"models--{NAME.replace('/', '--')}"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("abc")
    return Path(shutil.copytree(folder, model / "snapshots" / "abc"))


def test_a_model_in_the_cache_is_used_without_a_network(cache: Path, sd15: Path) -> None:
    there = put(cache, sd15)
    family = family_of(NAME)
    assert (family.kind, Path(family.path)) == ("sd1", there)


def test_without_a_network_what_is_missing_is_told_at_once(
    cache: Path, sd15: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    with pytest.raises(MissingBase, match=rf"{NAME} is not whole .*lacks: nothing of it.*cannot be reached"):
        family_of(NAME)
    shutil.rmtree(put(cache, sd15) / "vae")
    with pytest.raises(MissingBase, match=r"lacks: .*its folder vae/ is missing.*cannot be reached"):
        family_of(NAME)
    assert time.monotonic() - began < 4
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingBase, match="HF_HUB_OFFLINE forbids fetching it"):
        family_of(NAME)
    monkeypatch.setenv(OURS, "1")  # set by us, for what nobody named
    with pytest.raises(MissingBase, match="cannot be reached"):
        family_of(NAME)


def test_only_what_is_needed_is_fetched() -> None:
    plain = ["unet/config.json", "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"]
    small = ["model_index.json", "tokenizer/merges.txt", "tokenizer/vocab.json", "scheduler/scheduler_config.json"]
    left = [
        *("README.md", "v1-5-pruned.safetensors", "v1-5-pruned.ckpt", "unet/diffusion_pytorch_model.bin"),
        *("unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.non_ema.safetensors"),
        *("safety_checker/model.safetensors", "safety_checker/config.json", "unet/onnx/config.json"),
    ]
    half = ["vae/diffusion_pytorch_model.fp16.safetensors"]
    shards = [f"text_encoder_2/model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    assert hub.needed([*plain, *small, *left, *half, *shards]) == sorted([*plain, *small, *half, *shards])


def test_names_of_the_hub_are_told_from_paths() -> None:
    assert hub.is_name("stable-diffusion-v1-5/stable-diffusion-v1-5")
    for path in ("pocket", "./a/b", "/models/sd15", "a/b/c", "models/sd15.safetensors", "../models"):
        assert not hub.is_name(path)


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as fetching a model takes."""

    folder: Path

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        if path.startswith(f"/api/models/{NAME}"):
            files = [str(file.relative_to(self.folder)) for file in sorted(self.folder.rglob("*")) if file.is_file()]
            said: object = {"id": NAME, "modelId": NAME, "sha": "f" * 40, "siblings": [{"rfilename": n} for n in files]}
            if "/tree/" in path:
                sizes = {name: (self.folder / name).stat().st_size for name in files}
                said = [{"type": "file", "path": name, "size": size, "oid": "0"} for name, size in sizes.items()]
            self.send(json.dumps(said).encode(), {"Content-Type": "application/json"}, body=body)
        elif path.startswith(f"/{NAME}/resolve/"):
            name = path.split("/", 5)[5]
            self.send((self.folder / name).read_bytes(), {"ETag": f'"{name}"', "X-Repo-Commit": "f" * 40}, body=body)
        else:
            self.send_error(404)

    def send(self, content: bytes, headers: dict[str, str], *, body: bool) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture
def served(sd15: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a hub that has a model, with files beside it that nobody needs."""
    folder = shutil.copytree(sd15, tmp_path / "served")
    (folder / "whole.ckpt").write_bytes(b"pickle")
    handler = type("Serving", (Hub,), {"folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_model_is_fetched_once_where_a_network_is_there(
    cache: Path, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import hf_api

    monkeypatch.setattr(constants, "ENDPOINT", served)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", served + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(hf_api.api, "endpoint", served)
    family = family_of(NAME)
    assert family.kind == "sd1"
    family.check()
    assert not list(Path(family.path).rglob("*.ckpt"))
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused_port()}")
    assert family_of(NAME).path == family.path
