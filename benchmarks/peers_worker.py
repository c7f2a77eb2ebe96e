"""One peer, in the environment of benchmarks/peers.sh: trains on given pairs and leaves its tables. Imports no darec.

``peers_worker.py NAME FOLDER WIDTH EPOCHS BATCH``; the folder holds ``train.npz`` (users, items, n_users, n_items), and
``text.npz`` (users, items) for a peer that reads language vectors, and gets ``users.npy`` and ``items.npy``, rows
numbered as the pairs do. The last line that is printed is JSON: processor seconds of each epoch, and peak memory in MiB
with and without what was there before the data were read.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAYERS, RATE, DECAY, REGULARISATION = 3, 1e-3, 1e-6, 0.01

Tables = tuple[NDArray[np.float32], NDArray[np.float32]]
Trained = Iterator[Callable[[], Tables]]
"""Gives, after each epoch, what makes the tables."""


def recbole(train: dict[str, Any], folder: Path, width: int, batch: int) -> Trained:
    """RecBole's LightGCN, by its own data loader and trainer."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import LightGCN
    from recbole.trainer import Trainer
    from recbole.utils import init_seed
    from scipy import sparse

    for old, new in {"float_": "float64", "complex_": "complex128", "unicode_": "str_"}.items():
        setattr(np, old, getattr(np, new))  # which numpy 2 took away and RecBole 1.2.1 names
    # Likewise scipy.
    setattr(sparse.dok_matrix, "_update", lambda self, entries: self._dict.update(entries))  # noqa: B010
    place = folder / "pairs"
    place.mkdir()
    pairs = list(zip(train["users"], train["items"], strict=True))
    for name, rows in (("train", pairs), ("valid", pairs[:1]), ("test", pairs[:1])):
        lines = ["user_id:token\titem_id:token", *(f"{user}\t{item}" for user, item in rows)]
        (place / f"pairs.{name}.inter").write_text("\n".join(lines) + "\n")
    sys.argv = sys.argv[:1]  # which it would read as well
    config = Config(
        model="LightGCN",
        dataset="pairs",
        config_dict={
            "data_path": str(folder),
            "benchmark_filename": ["train", "valid", "test"],
            "load_col": {"inter": ["user_id", "item_id"]},
            "embedding_size": width,
            "n_layers": LAYERS,
            "reg_weight": DECAY,
            "learning_rate": RATE,
            "train_batch_size": batch,
            "use_gpu": False,
            "show_progress": False,
            "state": "ERROR",
            "checkpoint_dir": str(folder),
        },
    )
    init_seed(0, True)
    dataset = create_dataset(config)
    loader, _, _ = data_preparation(config, dataset)
    model = LightGCN(config, loader.dataset)
    trainer = Trainer(config, model)
    ids = dataset.field2token_id

    def tables() -> Tables:
        import torch

        with torch.no_grad():
            users, items = (table.numpy() for table in model.forward())
        found = []
        for field, table, size in (
            ("user_id", users, train["n_users"]),
            ("item_id", items, train["n_items"]),
        ):
            rows = np.zeros((size, width), np.float32)
            known = [(int(token), row) for token, row in ids[field].items() if token != "[PAD]"]
            for token, row in known:
                rows[token] = table[row]
            found.append(rows)
        return found[0], found[1]

    epoch = 0
    while True:
        trainer._train_epoch(loader, epoch)
        epoch += 1
        yield tables


def pyg(train: dict[str, Any], folder: Path, width: int, batch: int) -> Trained:
    """PyTorch Geometric's LightGCN, as its example trains it."""
    import torch
    from torch_geometric.nn import LightGCN

    torch.manual_seed(0)
    n_users, n = train["n_users"], train["n_users"] + train["n_items"]
    users, items = (torch.from_numpy(train[name]) for name in ("users", "items"))
    edges = torch.stack([users, items + n_users])
    both = torch.cat([edges, edges.flip(0)], dim=1)
    model = LightGCN(n, width, LAYERS)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)

    def tables() -> Tables:
        with torch.no_grad():
            table = model.get_embedding(both).numpy()
        return table[:n_users], table[n_users:]

    while True:
        for rows in torch.randperm(edges.size(1)).split(batch):
            positive = edges[:, rows]
            negative = torch.stack(
                [positive[0], torch.randint(n_users, n, (len(rows),), dtype=torch.long)]
            )
            optimizer.zero_grad()
            ranks = model(both, torch.cat([positive, negative], dim=1))
            first, second = ranks.chunk(2)
            loss = model.recommendation_loss(
                first,
                second,
                node_id=torch.cat([positive, negative], dim=1).unique(),
                lambda_reg=DECAY,
            )
            loss.backward()
            optimizer.step()
        yield tables


def implicit(kind: str) -> Callable[[dict[str, Any], Path, int, int], Trained]:
    """A model of implicit; it has no batches, and an epoch is an iteration."""

    def trained(train: dict[str, Any], folder: Path, width: int, batch: int) -> Trained:
        from implicit.cpu.als import AlternatingLeastSquares
        from implicit.cpu.bpr import BayesianPersonalizedRanking
        from scipy import sparse

        pairs = sparse.csr_matrix(
            (np.ones(len(train["users"]), np.float32), (train["users"], train["items"])),
            (train["n_users"], train["n_items"]),
        )
        options: dict[str, Any] = {
            "factors": width,
            "iterations": 1,
            "num_threads": 1,
            "random_state": 0,
        }
        options["regularization"] = REGULARISATION
        if kind == "als":
            model: Any = AlternatingLeastSquares(**options)
        else:
            model = BayesianPersonalizedRanking(learning_rate=0.05, **options)
        while True:
            model.fit(pairs, show_progress=False)  # goes on from the factors that are there
            yield lambda: (np.asarray(model.user_factors), np.asarray(model.item_factors))

    return trained


def rlmrec(kind: str) -> Callable[[dict[str, Any], Path, int, int], Trained]:
    """A model of RLMRec's code, by its own loader and trainer: ``lightgcn``, or the contrastive ``lightgcn_plus``.

    The code is that of the checkout in the environment variable RLMREC. It reads pickles by fixed names and moves
    tables to a GPU; here it finds its pickles in a folder of its own, and stays on the CPU. No edge is dropped.
    """

    def trained(train: dict[str, Any], folder: Path, width: int, batch: int) -> Trained:
        import torch

        place = folder / "rlmrec"
        rlmrec_files(train, folder, place / "data" / "amazon")
        (place / "encoder").symlink_to(Path(os.environ["RLMREC"]).resolve() / "encoder")
        os.chdir(place)
        sys.path.insert(0, "encoder")
        sys.argv = [sys.argv[0], "--model", kind, "--dataset", "amazon", "--device", "cpu"]
        setattr(torch.Tensor, "cuda", lambda self: self)  # noqa: B010

        configs = import_module("config.configurator").configs
        configs["model"] |= {"embedding_size": width, "keep_rate": 1.0}
        configs["train"]["batch_size"] = batch
        training = import_module("trainer.trainer")
        training.init_seed()
        handler = import_module("data_utils.build_data_handler").build_data_handler()
        handler.load_data()
        model = import_module("models.bulid_model").build_model(handler)
        trainer = training.Trainer(handler, None)
        trainer.create_optimizer(model)

        def tables() -> Tables:
            model.is_training, model.final_embeds = False, None
            with torch.no_grad():
                users, items = (table.numpy() for table in model.forward())
            return users, items

        epoch = 0
        while True:
            trainer.train_epoch(model, epoch)
            epoch += 1
            yield tables

    return trained


def rlmrec_files(train: dict[str, Any], folder: Path, place: Path) -> None:
    """The pickles that RLMRec's code reads; a model without text opens those of its vectors too, and gets zeros."""
    import pickle

    from scipy import sparse

    place.mkdir(parents=True)
    sizes = {"usr_emb_np": train["n_users"], "itm_emb_np": train["n_items"]}
    text = {name: np.zeros((size, 1), np.float32) for name, size in sizes.items()}
    if (folder / "text.npz").exists():
        with np.load(folder / "text.npz") as file:
            text = {"usr_emb_np": file["users"], "itm_emb_np": file["items"]}
    pairs = sparse.coo_matrix(
        (np.ones(len(train["users"]), np.float32), (train["users"], train["items"])),
        (train["n_users"], train["n_items"]),
    )
    for name, value in {"trn_mat": pairs, "val_mat": pairs, "tst_mat": pairs, **text}.items():
        (place / f"{name}.pkl").write_bytes(pickle.dumps(value))


PEERS: dict[str, Callable[[dict[str, Any], Path, int, int], Trained]] = {
    "recbole": recbole,
    "pyg": pyg,
    "implicit-als": implicit("als"),
    "implicit-bpr": implicit("bpr"),
    "rlmrec": rlmrec("lightgcn"),
    "rlmrec-contrastive": rlmrec("lightgcn_plus"),
}


def peak() -> float:
    """Largest resident set so far, in MiB; getrusage counts that of the process that started this one too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> None:
    """Train one, and tell."""
    name, place, width, epochs, batch = sys.argv[1:6]
    import torch

    torch.set_num_threads(1)
    before, folder = peak(), Path(place)
    with np.load(folder / "train.npz") as file:
        train: dict[str, Any] = {"users": file["users"], "items": file["items"]}
        train |= {size: int(file[size]) for size in ("n_users", "n_items")}
    epoch = PEERS[name](train, folder, int(width), int(batch))
    seconds = []
    for _ in range(int(epochs)):
        started = time.process_time()
        tables = next(epoch)
        seconds.append(time.process_time() - started)
    for side, table in zip(("users", "items"), tables(), strict=True):
        np.save(folder / f"{side}.npy", np.ascontiguousarray(table, np.float32))
    print(json.dumps({"seconds": seconds, "peak_mib": peak(), "before_mib": before}))


if __name__ == "__main__":
    main()
