"""The sections of a configuration that are not registered parts: loss, text, training, evaluation, options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from darec.dimensions import Range
from darec.limits import LARGEST_SEED, MOST_EPOCHS, MOST_THREADS
from darec.settings import Settings


class LossConfig(Settings):
    """Base of the configuration of a ranking loss.

    Attributes:
        tried: candidate values of settings that may be null.
    """

    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {}

    @property
    def undecided(self) -> bool:
        """Whether a setting is null, so that training chooses it."""
        return any(getattr(self, setting) is None for setting in self.tried)


class BPRConfig(LossConfig):
    """Bayesian personalised ranking (Rendle et al. 2009, eq. 4), with one uniform negative for each positive.

    Scores are inner products.
    """

    name: Literal["bpr"] = "bpr"
    """Name of the loss."""


class SoftmaxConfig(LossConfig):
    """Sampled softmax over negatives shared by the batch (Wu et al. 2022, SSM, eq. 5)."""

    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {"temperature": (0.12, 0.2, 0.3)}

    name: Literal["softmax"] = "softmax"
    """Name of the loss."""
    negatives: Literal["uniform", "in-batch"] = "uniform"
    """Source of the negatives: uniform draws from the catalogue, or the other positives of the batch."""
    n_negatives: int = Field(256, ge=1)
    """With negatives=uniform: number of negatives drawn for each batch."""
    log_q: bool = False
    """Correct each negative's logit by the log of its expected number of draws (Yi et al. 2019)."""
    temperature: Annotated[float | None, Range(0.05, 0.5, log=True)] = Field(0.2, gt=0)
    """The scores are divided by the temperature. With null, one epoch is trained with each of 0.12, 0.2 and 0.3,
    and training begins anew with the one that is best on the validation split."""
    similarity: Literal["cosine", "dot"] = "cosine"
    """Whether training and recommendation score by cosine or by inner product."""


class TrainConfig(Settings):
    """Optimisation. Defaults are those of the RLMRec code, on which DaRec's experiments build."""

    epochs: int = Field(1000, ge=1, le=MOST_EPOCHS)
    """Largest number of passes over the training interactions. Early stopping usually ends training sooner."""
    batch_size: int = Field(4096, ge=1)
    """Number of positives in a training step."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """Optimiser: Adam with the L2 term in the gradient, or AdamW with decoupled weight decay."""
    lr: Annotated[float, Range(3e-4, 1e-2, log=True)] = Field(1e-3, gt=0)
    """Learning rate."""
    l2: Annotated[float, Range(1e-8, 1e-3, log=True)] = Field(1e-6, ge=0)
    """Weight of the squared norm of the regularised parameters (see darec.model)."""
    eval_every: int = Field(3, ge=1)
    """Number of epochs between two evaluations on the validation split."""
    eval_users: int | None = Field(None, ge=2)
    """Largest number of validation users on whom the model is evaluated during training; null: 50,000. If there are
    more, every run on the data uses the same sample of them, and the interval of its value is reported. The final
    evaluation uses all users."""
    patience: int = Field(5, ge=1)
    """Training stops after this number of evaluations without improvement."""
    min_gain: float = Field(0.0, ge=0, lt=1)
    """An epoch replaces the best one so far only if its validation value is higher by more than this share of it.
    Training still goes on as long as values rise."""
    monitor: str = "recall@20"
    """Validation metric by which the best epoch is chosen."""
    fold_ridge: float | None = Field(None, gt=0)
    """Ridge for computing the vector of a new user from a list of items (darec.training.fold_in). With null, it is
    chosen on the validation split."""

    @property
    def of_later_epochs(self) -> str:
        """What is true of the epochs after the kept one, in words; empty if the best one is kept."""
        least = self.min_gain
        return f"no later one is better by more than {100 * least:g}%" if least else ""


class EvaluationConfig(Settings):
    """Evaluation at the end of a run."""

    ks: tuple[int, ...] = Field((5, 10, 20), min_length=1)
    """Cut-offs K of the metrics."""
    mask: Literal["train", "train+valid"] = "train"
    """Items left out of a user's ranking at test time: those of train, or of train and valid. RLMRec and DaRec leave
    out only the training items."""
    batch_size: int | None = Field(None, ge=1)
    """Number of users scored at once. With null, a number that suits the device is chosen. It changes speed and memory,
    not the metrics."""


class TextConfig(Settings):
    """The language embeddings of items, and how those of users are made."""

    encoder: str | None = None
    """Encoder whose embeddings are used, as named for ``darec encode``. With null, the most recent embeddings are used
    if the alignment or the backbone needs text."""
    sources: tuple[str, ...] = Field(("text",), min_length=1)
    """Encoded texts to use: ``text``, ``titles``, ``profiles``, ``profiles:NAME`` or a file. There may be several."""
    combine: Literal["concat", "mean"] = "concat"
    """How the vectors of several sources are combined, after each source is standardised: concatenated or averaged."""
    pooling: Literal["mean", "idf"] = "mean"
    """A user's vector is the mean of the vectors of their training items, plain or weighted by inverse item
    frequency."""


class RunOptions(Settings):
    """Options of the computation. None of them is a hyperparameter."""

    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Seed of the initial values, batches, negatives and dropout."""
    device: str = "cpu"
    """Device of the training: ``cpu``, ``cuda`` or ``cuda:N``."""
    precision: Literal["float32", "bf16"] = "float32"
    """Floating-point precision. bf16 uses autocast on a GPU."""
    threads: int | None = Field(None, ge=1, le=MOST_THREADS)
    """Number of CPU threads; null is torch's own choice. Runs with equal seed and threads give identical results."""
