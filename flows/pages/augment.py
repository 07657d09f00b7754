"""Contact sheets of what augmentation made: each parent beside its children, those that are refused with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from itertools import groupby
from pathlib import Path

from core.caption import Caption
from core.errors import NotEnoughData, StoreError
from core.files import write_text
from core.record import Record
from curation.decode import Undecodable, decode
from evaluation.document import document
from evaluation.tags import data_uri
from flows.pages.gallery import of, shortened, spread
from store.store import Store

SIDE = 96
"""pixels: longest side of a picture on the page"""
LONG = 14
"""characters of a drawn text that are shown"""
STYLE = (
    "<style>.family{display:grid;grid-template-columns:112px 1fr;gap:18px;padding:14px 0}"
    ".family{border-top:1px solid var(--rule)}.refused i{color:var(--memorised);font-style:normal}"
    ".children{display:flex;flex-wrap:wrap;gap:14px}.family figure{margin:0;width:112px}"
    ".family img{width:96px;height:96px;object-fit:contain;object-position:left bottom;background:none}"
    ".family figcaption{font-size:.78rem}.family b{color:var(--ink);font-weight:500}"
    ".refused img{opacity:.55;outline:2px solid var(--memorised);outline-offset:2px}"
    "@media(max-width:640px){.family{grid-template-columns:1fr}}</style>"
)


def write_augment_page(store: Store, path: Path, title: str, most: int) -> Counter[str]:
    """Write the page; how many derived pictures have which verdict. At most ``most`` of them are shown."""
    records = store.records()
    derived = [record for record in records if record.depth > 0 and record.verdict != "removed"]
    if not derived:
        raise NotEnoughData(f"nothing was made from the pictures of {title}; name `augment: transforms:` in its recipe")
    verdicts: Counter[str] = Counter(record.verdict for record in derived)
    shown = chosen(derived, most)
    parents = {record.id: record for record in records if record.id in {one.parent for one in shown}}
    pictures = uris(store, [*parents.values(), *shown])
    captions = store.captions()
    header = f'<p class="over">{escape(title)}</p><h1>{escape(headline(derived, verdicts))}</h1>'
    families = "".join(family(parent, children, pictures, captions) for parent, children in by_parent(shown, parents))
    words = (
        "Left a picture, right what was made of it, and the numbers that were drawn for it. A red frame is a "
        f"picture that is not trained on, with the reason.{of(len(shown), len(derived))}"
    )
    sections = [STYLE, by_block(derived), f"<h2>Parents and children</h2><p>{words}</p>{families}"]
    write_text(path, document(f"{title}: augmentation", header, sections, "Velatura: augmentation."))
    return verdicts


def headline(derived: Sequence[Record], verdicts: Mapping[str, int]) -> str:
    """The whole in one sentence."""
    parents = len({record.parent for record in derived})
    kept, refused = verdicts.get("kept", 0), verdicts.get("refused", 0)
    return f"{kept:,} pictures made from {parents:,} are trained on; {refused:,} more were refused."


def by_block(derived: Sequence[Record]) -> str:
    """A table: of each block how many were kept and refused, and why."""
    rows = []
    for block, some in groupby(sorted(derived, key=lambda r: r.made_by), key=lambda r: r.made_by):
        ones = list(some)
        kept = sum(record.verdict == "kept" for record in ones)
        codes = Counter(reason.code.replace("_", " ") for record in ones for reason in record.reasons)
        why = ", ".join(f"{count:,} {code}" for code, count in codes.most_common())
        weight = sum(record.weight for record in ones if record.verdict == "kept") / kept if kept else 0.0
        rows.append(
            f"<tr><td>{escape(kind_of(block))} <code>{escape(block.rpartition('-')[2][:6])}</code></td>"
            f'<td class="n">{kept:,}</td><td class="n">{len(ones) - kept:,}</td>'
            f'<td class="n">{weight:.2f}</td><td>{escape(why)}</td></tr>'
        )
    names = (("block", ""), ("kept", "n"), ("refused", "n"), ("weight of one", "n"), ("refused because", ""))
    head = "".join(f'<th class="{style}">{name}</th>' for name, style in names)
    return f'<h2>By block</h2><table class="plain"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def kind_of(made_by: str) -> str:
    """``crop-0123...`` is made by ``crop``."""
    return made_by.rpartition("-")[0]


def chosen(derived: Sequence[Record], most: int) -> list[Record]:
    """At most so many: all children of some parents, evenly spread over the names; in the order of the page."""
    ordered = sorted(derived, key=lambda record: (record.name, record.parent, record.made_by, record.seed))
    if len(ordered) <= most:
        return ordered
    families = [list(some) for _, some in groupby(ordered, key=lambda record: record.parent)]
    taken = [families[at] for at in spread(len(families), max(1, round(most * len(families) / len(ordered))))]
    return [record for one in taken for record in one][:most]


def by_parent(shown: Sequence[Record], parents: Mapping[str, Record]) -> Iterator[tuple[Record, list[Record]]]:
    """Each parent with its children, in the order of the page."""
    for parent, children in groupby(shown, key=lambda record: record.parent):
        if parent in parents:
            yield parents[parent], list(children)


def uris(store: Store, records: Sequence[Record]) -> dict[str, str]:
    """By hash: each picture as an address that contains it; empty where it cannot be shown."""

    def made(sha256: str) -> str:
        try:
            return data_uri(decode(store.image(sha256)).pixels, SIDE)
        except (StoreError, Undecodable):
            return ""

    hashes = list({record.sha256 for record in records})
    store.has_images(hashes)  # all rows are looked up at once
    with ThreadPoolExecutor(4) as pool:  # reading and decoding wait for the disk and leave the interpreter
        return dict(zip(hashes, pool.map(made, hashes), strict=True))


def family(
    parent: Record, children: Sequence[Record], pictures: Mapping[str, str], captions: Mapping[str, Caption]
) -> str:
    """One parent and its children."""
    made = "".join(child(record, pictures, captions) for record in children)
    name = f"{kind_of(parent.made_by)} of {parent.name}" if parent.depth else parent.name
    shown = figure(pictures[parent.sha256], name, said(parent, captions), "")
    return f'<div class="family">{shown}<div class="children">{made}</div></div>'


def child(record: Record, pictures: Mapping[str, str], captions: Mapping[str, Caption]) -> str:
    """One derived picture: its block, what was drawn, its caption, and why it is refused."""
    drawn = ", ".join(f"{name} {brief(value)}" for name, value in record.drawn.items() if name not in HIDDEN)
    words = [escape(shortened(drawn, 90)), said(record, captions)]
    words += [f"<i>{escape(reason.words)}</i>" for reason in record.reasons]
    state = "refused" if record.verdict == "refused" else ""
    return figure(pictures[record.sha256], kind_of(record.made_by), "<br>".join(filter(None, words)), state)


HIDDEN = ("seed", "base", "prompt")
"""of what was drawn: long, or told by the caption"""


def brief(value: object) -> str:
    """A drawn value in few characters."""
    return f"{value:.2f}" if isinstance(value, float) else shortened(str(value), LONG)


def said(record: Record, captions: Mapping[str, Caption]) -> str:
    """The caption, if there is one."""
    caption = captions.get(record.id)
    return escape(shortened(caption.text, 90)) if caption and caption.text else ""


def figure(uri: str, name: str, words: str, state: str) -> str:
    """A picture with its name in bold and words below (HTML)."""
    shown = f'<img src="{uri}" alt="{escape(name)}" loading="lazy">' if uri else '<div class="missing">no picture</div>'
    caption = f"<figcaption><b>{escape(shortened(name, 40))}</b><br>{words}</figcaption>"
    return f'<figure class="{state}">{shown}{caption}</figure>'
