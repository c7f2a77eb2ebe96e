"""The answers of all shards of a set of profiles: ``profiles/NAME.shards/2-of-8`` and so on, each a set by itself.

The key of a prompt decides its shard (:mod:`darec.text.shards`).
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from darec.errors import TextError
from darec.text.profiles.store import Answer, AnswerStore
from darec.text.shards import found_shards


def gather_answers(folder: Path, keys: Collection[str]) -> list[Answer]:
    """The answers to all prompts.

    Args:
        folder: folder of the set.
        keys: keys of all current prompts.

    Raises:
        TextError: a shard is missing or unfinished, or has answers of other prompts or of another shard.
    """
    answers = []
    for shard, place in found_shards(folder, "answers.jsonl"):
        held = AnswerStore(place).answers
        again = f"run the same command with --shard {shard} again."
        expected = {key for key in keys if shard.holds(key)}
        others = sum(not shard.holds(key) for key in held)
        if others:
            raise TextError(
                f"{place} holds {others} answers that belong to other shards, so two shards overlap: delete that "
                f"folder and {again}"
            )
        lacking = len(expected - set(held))
        if lacking:
            foreign = len(set(held) - expected)
            raise TextError(
                f"{place} lacks {lacking} of its {len(expected)} prompts and holds {foreign} answers to none of "
                "them: it is not finished, or was made with another model, another template or other texts; "
                f"{again}"
            )
        answers += [held[key] for key in expected]
    return answers
