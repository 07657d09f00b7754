"""`velatura report augment`: a page of what augmentation made, accepted and refused, beside the parents."""

from pathlib import Path
from typing import Annotated

import typer

from flows.dataset_choice import DatasetName, HomeFolder, open_dataset


def augment_report(
    dataset: DatasetName = "",
    home: HomeFolder = "",
    out: Annotated[Path | None, typer.Option(help="The file to write; default: augment-DATASET.html.")] = None,
    most: Annotated[int, typer.Option(min=1, max=5000, help="How many derived pictures to show at most.")] = 1000,
) -> None:
    """Show parents and what was made of them side by side, accepted and refused with reasons."""
    from flows.pages.augment import write_augment_page

    store = open_dataset(dataset, home)
    name = Path(store.uri).name
    path = (out or Path(f"augment-{name}.html")).absolute()
    verdicts = write_augment_page(store, path, name, most)
    print(f"{verdicts['kept']:,} kept, {verdicts['refused']:,} refused: {path}")
