"""What can go wrong through no fault of the code. The command line prints these without a traceback.

| error | when |
|---|---|
| `RecipeError` | a recipe has a wrong key or value |
| `UnknownKind` | a recipe names a kind that its family does not have |
| `SourceError` | pictures cannot be read from where the recipe says, or there are none |
| `MissingBase` | the base model is not where the recipe says, or is not whole |
| `MissingExtra` | an optional package is needed that is not installed |
| `StoreError` | the store is locked, full, or not one of ours |
| `DiskFull` | there is no room left for what has to be written |
| `TrainingFailed` | the trainer stopped before its last step: non-finite loss, killed, out of memory |
| `ExportError` | the folder that is named for an export holds something, or cannot be written |
| `TrackingError` | MLflow does not answer, or does not know the model or the run that is asked for |
| `ServerError` | a server cannot be started, or is not well |
| `EngineError` | the machines that work was sent to cannot be reached, or were all lost |
| `NotEnoughData` | too few pictures were left for what was asked |
"""


class VelaturaError(Exception):
    """A user's mistake or the world's, said in words: what is wrong, where, and what would be right."""


class RecipeError(VelaturaError):
    """A recipe has a wrong key or value; says its path and what is known."""


class UnknownKind(RecipeError):
    """A recipe names a kind that its family does not have."""


class SourceError(VelaturaError):
    """Pictures cannot be read from where the recipe says, or there are none."""


class MissingBase(VelaturaError):
    """The base model is not where the recipe says, or is not whole."""


class MissingExtra(VelaturaError):
    """An optional package is needed that is not installed; says which."""


class StoreError(VelaturaError):
    """The store cannot be opened, read or written."""


class DiskFull(VelaturaError):
    """There is no room left for what has to be written; nothing written before is lost."""


class TrainingFailed(VelaturaError):
    """The trainer stopped before its last step; says at which, why, and what was kept."""


class ExportError(VelaturaError):
    """The folder that was named for an export cannot be used; nothing in it was touched."""


class TrackingError(VelaturaError):
    """MLflow does not answer, or does not know the model or run that was asked for; says which there are."""


class ServerError(VelaturaError):
    """A server cannot be started or is not well; says where its words are."""


class EngineError(VelaturaError):
    """The machines that work was sent to cannot be reached, or failed; says which and what to do."""


class NotEnoughData(VelaturaError):
    """Too few pictures were left for what was asked; says how many and what took the others."""
