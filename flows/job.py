"""What the trainer needs to know, as a file in the run's folder: the recipe and the dataset it is to see."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import VelaturaError
from core.files import write_text
from core.pixels import Read
from core.snapshot import Snapshot
from curation.pictures import Pictures
from flows.recipe import Recipe
from store.store import Store


@dataclass(frozen=True, slots=True)
class Job:
    """One run: what is trained on what, and where its files go."""

    folder: Path
    key: str
    recipe: Recipe
    snapshot: Snapshot

    def write(self) -> None:
        """Put it where `read` finds it."""
        value = {"key": self.key, "recipe": self.recipe.model_dump(mode="json"), "snapshot": asdict(self.snapshot)}
        write_text(self.folder / "job.json", json.dumps(value, indent=1, sort_keys=True))

    @classmethod
    def read(cls, folder: Path) -> "Job":
        """The job of a run's folder."""
        value = json.loads((folder / "job.json").read_text())
        recipe = Recipe.model_validate(value["recipe"])
        return cls(folder, value["key"], recipe, Snapshot(**value["snapshot"]))

    @classmethod
    def readable(cls, folder: Path) -> "Job | None":
        """The same; None where it is damaged, or of another version of Velatura."""
        try:
            return cls.read(folder)
        except (VelaturaError, OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def spool(self) -> Path:
        """Where the trainer writes figures."""
        return self.folder / "metrics.jsonl"

    @property
    def plan(self) -> Path:
        """Where the trainer says before the first step what it will do: sizes, masks, memory."""
        return self.folder / "plan.txt"

    @property
    def held(self) -> Path:
        """Which cached arrays the run works with."""
        return self.folder / "cached.json"

    @property
    def steps(self) -> Path:
        """A folder per looked-at step: probe losses, weights, samples."""
        return self.folder / "steps"

    def step_folder(self, step: int) -> Path:
        """The folder of one looked-at step."""
        return self.steps / f"{step:06d}"

    def samples(self, step: int) -> list[Path]:
        """What was drawn at a looked-at step, in the order of the prompts."""
        found = self.step_folder(step).glob("sample-*.png")
        return sorted(found, key=lambda path: int(path.stem.partition("-")[2]))  # 10 comes after 9

    def sheet(self, step: int) -> Path:
        """The same beside what the base drew, as one picture."""
        return self.step_folder(step) / "samples.png"

    @property
    def training(self) -> Path:
        """Where the loop keeps its checkpoints and exported weights."""
        return self.folder / "training"

    def weights(self, step: int) -> Path:
        """The folder of a looked-at step's weights in both layouts."""
        return self.training / "weights" / f"step-{step:08d}"

    def mark(self, step: int) -> Path:
        """The file that stands when a step has been looked at to the end."""
        return self.step_folder(step) / "looked"

    @property
    def looked(self) -> list[int]:
        """The steps that have been looked at to the end."""
        return sorted(int(path.parent.name) for path in self.steps.glob("*/looked"))

    @property
    def finished(self) -> bool:
        """Whether training has reached its last step, or one at which it had seen enough."""
        return self.recipe.train.end in self.looked or self.gave_up.exists()

    @property
    def gave_up(self) -> Path:
        """The file that stands where training stopped early, with the step in it."""
        return self.folder / "stopped-early"

    @property
    def device(self) -> str:
        """Where networks run: the GPU if there is one."""
        return device()

    @property
    def trigger(self) -> str:
        """The word that brings out what was learned; empty where none is known."""
        return str(getattr(self.recipe.train.adapter, "word", "") or getattr(self.recipe.captioner, "trigger", ""))

    def metadata(self) -> dict[str, str]:
        """What the weights say of where they come from."""
        return {
            "ss_output_name": self.recipe.name,
            "ss_sd_model_name": Path(self.recipe.base).name,
            "modelspec.title": self.recipe.name,
            **({"velatura.trigger": self.trigger, "modelspec.trigger_phrase": self.trigger} if self.trigger else {}),
            "velatura.key": self.key,
            "velatura.manifest": self.snapshot.manifest,
            "velatura.dataset": self.snapshot.tag,
            "velatura.recipe": json.dumps(self.recipe.model_dump(mode="json", exclude={"engine"}), sort_keys=True),
        }


def device() -> str:
    """The GPU if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def reader(store: Store) -> Read:
    """Gives a record's pixels from the store, on the ground that the record says: the same everywhere."""
    return Pictures(store)
