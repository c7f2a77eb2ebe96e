"""iALS (Hu, Koren & Volinsky 2008) in the form of Rendle et al. (arXiv 2110.14037, RecSys 2022).

Matrix factorization by least squares over *all* pairs: the target of an observed pair is 1, and every score is pulled
to 0 with the weight ``unobserved``. Users and items are solved alternately in closed form, by the library `implicit`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from scipy import sparse

from darec.backbones.closed_form import ClosedForm, ClosedFormConfig, ClosedFormInputs, matrix_of
from darec.dimensions import Choice, Range
from darec.errors import ConfigError
from darec.memory import require_memory
from darec.progress import counted
from darec.scoring import RidgeFolding, TableScorer
from darec.types import FloatArray, IntArray, Tables


class IALSConfig(ClosedFormConfig):
    """Settings of :class:`IALS`. The defaults lie within the range tried on toys, but were not themselves run there."""

    name: Literal["ials"] = "ials"
    """Name of the backbone."""
    dim: Annotated[int, Choice(64, 128, 256)] = Field(128, ge=1)
    """Number of columns of the tables."""
    unobserved: Annotated[float, Range(2.0, 200.0, log=True)] = Field(20.0, gt=0)
    """Total weight of all pairs, relative to the total weight of the training pairs. The paper's alpha_0, the weight of
    one pair, is this value times the share of pairs that are training pairs. The paper's 0.1 on MovieLens-20M is about
    28 here."""
    ridge: Annotated[float, Range(1e-3, 0.1, log=True)] = Field(0.01, gt=0)
    """Weight of the squared norm of the rows, lambda in the paper."""
    frequency: Annotated[float, Range(0.0, 1.0)] = Field(1.0, ge=0, le=2)
    """Exponent nu of the frequency by which a row's ridge is multiplied. With 0, all rows have the same penalty; with
    1, the penalty is proportional to the number of pairs."""
    rounds: Annotated[int, Choice(8, 16, 32)] = Field(16, ge=1)
    """Number of times that items and users are solved."""


class IALS(ClosedForm[IALSConfig]):
    """Matrix factorization by alternating least squares over all pairs.

    With S the training pairs and ``alpha = unobserved |S| / (U I)``, it minimises ``sum_S (x_u y_i - 1)^2 + alpha
    sum_all (x_u y_i)^2`` plus, for each user, ``ridge (|I_u| + alpha I)^frequency ||x_u||^2``, and likewise for each
    item (eqs. 3 and 6 of the paper).

    `implicit` has neither a ridge for each row nor this form of the loss. So rows of the same frequency are solved
    together, each group with its own ridge. Its loss weights observed pairs by ``1 + 1 / alpha`` and others by
    1. Its solution is ``1 + alpha`` times the wanted one and is divided by that factor.
    """

    deterministic: ClassVar[bool] = False

    @classmethod
    def check_installed(cls) -> None:
        """Raise ``ConfigError`` if `implicit` is not installed."""
        if find_spec("implicit") is None:
            raise ConfigError(
                "backbone 'ials' needs implicit, which is not installed: pip install 'darec[als]'."
            )

    def fit(self, inputs: ClosedFormInputs) -> TableScorer:
        """Solve alternately. Users come last, so that their rows equal those that folding in computes from their items.

        Raises:
            ConfigError: there is too little memory for the tables, or `implicit` is not installed.
        """
        self.check_installed()
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        config, train = self.config, inputs.train
        require_memory(
            8 * config.dim * (train.n_users + train.n_items + config.dim),
            f"tables of {config.dim:,} columns",
            "lower backbone.dim",
        )
        alpha = config.unobserved * len(train) / (train.n_users * train.n_items)
        folding = RidgeFolding(alpha, config.ridge, config.frequency)
        by_user = matrix_of(train) * np.float32(1 + 1 / alpha)
        by_item = by_user.T.tocsr()
        rng = np.random.default_rng(inputs.seed)

        def initial(rows: int) -> FloatArray:
            drawn = rng.standard_normal((rows, config.dim), np.float32)
            return np.asarray(0.1 / np.sqrt(config.dim) * drawn, np.float32)  # the paper's

        with threadpool_limits(
            1, "blas"
        ):  # otherwise the threads of BLAS and of implicit, which solves row by row, compete for the cores
            model = AlternatingLeastSquares(config.dim, alpha=1.0, num_threads=inputs.threads)
            model.user_factors, model.item_factors = initial(train.n_users), initial(train.n_items)
            sides = (
                (model.partial_fit_items, model.item_factors, by_item, train.n_users),
                (model.partial_fit_users, model.user_factors, by_user, train.n_items),
            )
            for _ in counted(range(config.rounds), "alternating least squares"):
                for solve, table, observed, others in sides:
                    for rows, frequency in _groups(observed):
                        penalty = folding.penalty(frequency, others)
                        model.regularization = penalty / alpha
                        solve(rows, sparse.csr_matrix(observed[rows]))
                    table /= 1 + alpha
        tables = Tables(torch.from_numpy(model.user_factors), torch.from_numpy(model.item_factors))
        return TableScorer(tables, inputs.ties, folding)


def _groups(observed: sparse.csr_array) -> list[tuple[IntArray, int]]:
    """Group the rows by their number of entries."""
    frequency = np.diff(observed.indptr)
    order = np.argsort(frequency, kind="stable")
    values, starts = np.unique(frequency[order], return_index=True)
    return list(zip(np.split(order, starts[1:]), values.tolist(), strict=True))
