"""A web server on loopback that behaves as badly as asked."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.curation.conftest import encoded, scene

PICTURE = encoded(scene(1))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site: Site = self.server.site
        path = self.path.partition("?")[0]
        with site.lock:
            site.asked[path] += 1
            site.now += 1
            site.most_at_once = max(site.most_at_once, site.now)
        try:
            self.answer(path, site.asked[path])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with site.lock:
                site.now -= 1

    def answer(self, path: str, times: int) -> None:
        if path.startswith("/fine"):
            time.sleep(0.05)
            self.give(encoded(scene(int(path[6:-4])), "PNG"))
        elif path == "/busy.png":
            self.give(b"busy", status=500) if times < 3 else self.give(PICTURE)
        elif path == "/wait.png":
            self.give(b"", status=429, headers={"Retry-After": "0"}) if times < 2 else self.give(PICTURE)
        elif path == "/cut.png":
            self.give(PICTURE, length=2 * len(PICTURE))
            self.close_connection = True
        elif path == "/cut-once.png":
            self.give(PICTURE, length=len(PICTURE) * (2 if times < 2 else 1))
            self.close_connection = times < 2
        elif path == "/slow.png":
            self.slowly()
        elif path == "/moved.png":
            self.give(b"", status=302, headers={"Location": "/fine/7.png"})
        elif path == "/round.png":
            self.give(b"", status=302, headers={"Location": "/round.png"})
        elif path == "/elsewhere.png":
            self.give(b"", status=302, headers={"Location": "file:///etc/passwd"})
        elif path == "/page.png":
            self.give(b"<!DOCTYPE html><p>sign in", headers={"Content-Type": "text/html"})
        elif path == "/chunks.png":
            self.in_chunks()
        elif path == "/asked-not-to.png":
            self.give(PICTURE, headers={"X-Robots-Tag": "noimageai, nosnippet"})
        elif path == "/large.png":
            self.give(bytes(3 << 20))
        elif path == "/large-without-length.png":
            self.give(bytes(3 << 20), length=None)
            self.close_connection = True
        else:
            self.give(b"nothing here", status=404)

    def give(
        self, data: bytes, *, status: int = 200, headers: dict[str, str] | None = None, length: int | None = -1
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(len(data) if length == -1 else length))
        self.end_headers()
        self.wfile.write(data)

    def slowly(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.site.over.wait(0.05):
            self.wfile.write(b"x")

    def in_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (PICTURE[:100], PICTURE[100:], b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def log_message(self, *_: object) -> None:
        pass


class Site:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.asked: Counter[str] = Counter()
        self.now = self.most_at_once = 0
        self.url = ""


@contextmanager
def site() -> Iterator[Site]:
    """A server that is stopped at the end."""
    one = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = one
    server.daemon_threads = True
    one.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
