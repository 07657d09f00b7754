"""`velatura report`: pages to look at."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.augment import augment_report
from flows.dataset_choice import DatasetName, HomeFolder, open_dataset

report = typer.Typer(help="Write a page about the data, to look at in a browser.", no_args_is_help=True)


@report.callback()
def about() -> None:
    """Write a page about the data, to look at in a browser."""


@report.command("data")
def data_report(
    snapshot: Annotated[
        str, typer.Argument(help="A snapshot or its name; default: the present state.", show_default=False)
    ] = "",
    dataset: DatasetName = "",
    home: HomeFolder = "",
    out: Annotated[Path | None, typer.Option(help="The file to write; default: report-DATASET.html.")] = None,
    most: Annotated[int, typer.Option(min=1, max=500, help="How many pictures to show for each reason.")] = 24,
) -> None:
    """Show what is kept, what is refused and why, duplicates, the held-out pictures, and both ends of each score."""
    from flows.data_report import write_data_report

    store = open_dataset(dataset, home)
    name = Path(store.uri).name
    path = (out or Path(f"report-{name}.html")).absolute()
    found = write_data_report(store, path, title=name, tag="" if snapshot == "now" else snapshot, most=most)
    print(f"{found.kept:,} kept, {found.verdicts.get('refused', 0):,} refused: {path}")


report.command("augment")(augment_report)
