"""The two sides of a finished run: E_C and E_L of users and of items, and their parts if the alignment has these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from darec.errors import RunError
from darec.model import Model
from darec.registry import BACKBONES
from darec.run import Run
from darec.run_record import read_about
from darec.runtime import stored_text
from darec.types import IntArray, Tables, TextTable

KINDS: Final = ("users", "items")


@dataclass(frozen=True)
class Sides:
    """Both sides of the users, or of the items, of a run.

    Attributes:
        kind: ``users`` or ``items``.
        tables: ``E_C``, ``E_L`` and, from an alignment with parts, ``C_sh``, ``C_sp``, ``L_sh`` and ``L_sp``: [n, d]
            float32 rows of unit length; widths may differ. E_C and E_L are centred first, since the part that all rows
            share carries no information. The parts are not changed.
        known: [n] bool, False if an entity had no text and its row of E_L is the mean.
    """

    kind: str
    tables: dict[str, Tensor]
    known: Tensor

    @property
    def compared(self) -> tuple[str, str]:
        """Return the two tables whose structures are compared: the shared parts, else E_C and E_L."""
        return ("C_sh", "L_sh") if "C_sh" in self.tables else ("E_C", "E_L")

    @property
    def specific(self) -> tuple[str, ...]:
        """Return the names of the specific parts, if there are any."""
        return tuple(name for name in ("C_sp", "L_sp") if name in self.tables)


def sides_of(run: Run) -> dict[str, Sides]:
    """Encode a run's entities again, from the weights of its best epoch, on the CPU.

    Raises:
        RunError: the run is in memory, its weights do not fit, or the language vectors have changed.
        TextError: the dataset has no language vectors.
    """
    model, text = restored_model(run)
    E_L = Tables(torch.from_numpy(text.users), torch.from_numpy(text.items))
    known = {"users": text.user_mask, "items": text.item_mask}
    with torch.no_grad():
        encoded = model.encode()
        parts = model.alignment.parts(encoded)
        made = {}
        for kind in KINDS:
            tables = {"E_C": getattr(encoded, kind), "E_L": getattr(E_L, kind)}
            tables = {name: table - table.mean(0) for name, table in tables.items()}
            tables |= parts.get(kind, {})
            units = {name: F.normalize(table.float(), dim=1) for name, table in tables.items()}
            made[kind] = Sides(kind, units, torch.from_numpy(known[kind]))
    return made


def n_clusters_of(run: Run, most: int = 12, usual: int = 8) -> int:
    """Return the number of clusters to colour: that of the alignment, if the colours can be distinguished."""
    asked = getattr(run.config.alignment, "n_clusters", usual)
    return int(asked) if isinstance(asked, int) and 1 < asked <= most else usual


def sample_rows(n: int, most: int, seed: int) -> IntArray:
    """Draw at most ``size`` of ``n`` rows, without repeats, in ascending order."""
    generator = torch.Generator().manual_seed(seed)
    return cast(IntArray, torch.randperm(n, generator=generator)[:most].sort().values.numpy())


def restored_model(run: Run) -> tuple[Model, TextTable]:
    """Return the model of a run with the weights of its best epoch, and the language embeddings that it reads.

    Raises:
        RunError: the run is in memory or damaged, or was trained with other embeddings or by another version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if BACKBONES.get(run.config.backbone.name).closed_form:
        raise RunError(
            f"backbone {run.config.backbone.name!r} is solved in closed form and has no representations to show: "
            "choose a run of a trained backbone."
        )
    if run.path is None:
        raise RunError("this run is in memory and has no weights in files: save it first.")
    text = stored_text(run.dataset, run.config.text)
    try:
        read = read_about(run.path)["text"]
        if read not in (None, text.fingerprint()):
            raise RunError(
                f"the language vectors {text.name!r} of {run.dataset.path} are not those that the run at {run.path} "
                "was trained with: encode with the same options as then, or train again."
            )
        model = Model(run.config, run.dataset.train, text, torch.Generator().manual_seed(0))
        model.load_state_dict(load_file(run.path / "model.safetensors"))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise RunError(f"the run at {run.path} is damaged ({error}): train it again.") from error
    except RuntimeError as error:
        if isinstance(error, RunError):
            raise
        raise RunError(
            f"the weights of {run.path} do not fit {run.config.backbone.name} + {run.config.alignment.name} in "
            "this version of darec: train it again."
        ) from error
    return model.eval(), text
