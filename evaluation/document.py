"""The shell of every page we write: one HTML file that stands on its own, and fetches and runs nothing."""

from html import escape
from importlib.resources import files

NOTHING = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title: str, header: str, sections: list[str], footer: str) -> str:
    """A whole page. ``header``, ``sections`` (empty ones are left out) and ``footer`` are HTML, ``title`` is not."""
    style = files("evaluation").joinpath("report.css").read_text()
    body = "\n".join(section for section in sections if section)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{NOTHING}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body>"
        f"<header>{header}</header>\n<main>{body}</main>\n<footer><p>{footer}</p></footer></body></html>\n"
    )
