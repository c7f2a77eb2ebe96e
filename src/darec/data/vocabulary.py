"""Texts for the synthetic catalogue, from the words in ``vocabulary.yaml``.

Each subtopic has modifiers and nouns, any pair of which makes a title ("cast-iron camping skillet"), and sentences that
fit any of them. Nuisance attributes (brand, colour, packaging ...) have phrases that fit any item.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import yaml

from darec.types import IntArray

N_TOPICS: Final = 14
SUBTOPICS_PER_TOPIC: Final = 4
N_NUISANCE: Final = 6
PHRASES_PER_NUISANCE: Final = 8


@dataclass(frozen=True)
class Subtopic:
    """The words of one subtopic.

    Attributes:
        topic: name of the topic that it belongs to.
        name: its own name.
        modifiers: words that go before any of the nouns.
        nouns: names of the items.
        sentences: fit any of the nouns.
    """

    topic: str
    name: str
    modifiers: tuple[str, ...]
    nouns: tuple[str, ...]
    sentences: tuple[str, ...]


def subtopics() -> list[Subtopic]:
    """All subtopics, those of one topic together: number s belongs to topic s // SUBTOPICS_PER_TOPIC."""
    return [
        Subtopic(topic, name, *(tuple(words[key]) for key in ("modifiers", "nouns", "sentences")))
        for topic, parts in _words()["topics"].items()
        for name, words in parts.items()
    ]


def nuisance_phrases() -> dict[str, tuple[str, ...]]:
    """Return the phrases of each attribute that is independent of taste."""
    return {name: tuple(phrases) for name, phrases in _words()["nuisance"].items()}


@cache
def _words() -> dict[str, Any]:
    text = files("darec.data").joinpath("vocabulary.yaml").read_text(encoding="utf-8")
    words: dict[str, Any] = yaml.safe_load(text)
    return words


def write_items(
    subtopic: IntArray, nuisance: IntArray, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return title, description and tags of every item.

    No two items have the same title. A description is two sentences of the subtopic with the nuisance phrases between
    them; the tags are the names of topic and subtopic.

    Args:
        subtopic: [I] number of each item's subtopic.
        nuisance: [I, m] number of the phrase shown for each of the first m attributes.
        rng: draws modifiers, nouns and sentences.
    """
    words, phrases = subtopics(), list(nuisance_phrases().values())
    titles = [rng.permutation(len(part.modifiers) * len(part.nouns)) for part in words]
    seen = [0] * len(words)
    items = []
    for index, shown in zip(subtopic, nuisance, strict=True):
        part = words[index]
        edition, place = divmod(seen[index], len(titles[index]))
        seen[index] += 1
        first, second = rng.choice(len(part.sentences), 2, replace=False)
        sentences = [
            part.sentences[first],
            *(phrases[attribute][value] for attribute, value in enumerate(shown)),
            part.sentences[second],
        ]
        items.append(
            {
                "title": _title(part, int(titles[index][place]), edition),
                "description": ". ".join(sentences) + ".",
                "tags": [part.topic, part.name],
            }
        )
    return items


def _title(part: Subtopic, combination: int, edition: int) -> str:
    modifier, noun = divmod(combination, len(part.nouns))
    title = f"{part.modifiers[modifier]} {part.nouns[noun]}"
    title = title[0].upper() + title[1:]
    return f"{title}, model {edition + 1}" if edition else title
