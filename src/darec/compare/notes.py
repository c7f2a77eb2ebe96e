"""Notes that a reader needs to judge a comparison, one sentence each, derived from its figures."""

from __future__ import annotations

from darec.compare.figures import LEVEL
from darec.compare.result import Comparison, Variant


def notes_on(comparison: Comparison) -> list[str]:
    """The notes, most important first."""
    return [
        *_failures(comparison),
        *_choice(comparison),
        *_settings(comparison),
        *_tests(comparison),
        *_seeds(comparison),
        *_costs(comparison),
    ]


def seeds_needed(n_tests: int, level: float = LEVEL) -> int:
    """The fewest seeds with which a sign-flip test can reject after Holm's correction over ``n_tests``."""
    seeds = 1
    while n_tests * 2 / 2**seeds >= level:
        seeds += 1
    return seeds


def _failures(comparison: Comparison) -> list[str]:
    notes = []
    for pair in comparison.variants:
        for run in pair.failed:
            error = (run.error or "").rstrip(".")
            notes.append(f"{pair.name}, seed {run.seed}, failed: {error}.")
    return notes


def _choice(comparison: Comparison) -> list[str]:
    chosen = comparison.chosen if comparison.kind == "sweep" else None
    if chosen is None:
        return []
    figures = [f"{metric} {chosen.test[metric].mean:.4f}" for metric in comparison.headline]
    return [
        f"Validation {comparison.monitor} chooses {chosen.row}, whose test figures are {' and '.join(figures)}. "
        "Test figures of other values must not be used for a choice."
    ]


def _settings(comparison: Comparison) -> list[str]:
    pairs, notes = comparison.variants, []
    if comparison.kind == "pairs":
        tuned = any(pair.settings_file for pair in pairs)
        notes.append(
            "Each pair has its own settings, from --settings."
            if tuned
            else "All pairs share one set of settings: none of them is tuned for its pair."
        )
    encoders = sorted({str(e) for pair in pairs if (e := pair.settings.get("text.encoder"))})
    if len(encoders) > 1:
        notes.append(
            f"{comparison.words.many.capitalize()} read different language vectors: {', '.join(encoders)}."
        )
    return notes


def _tests(comparison: Comparison) -> list[str]:
    tests = [pair for pair in comparison.variants if pair.gains]
    words = comparison.words
    if not any(pair.row == comparison.baseline for pair in comparison.variants):
        return [words.without]
    if not tests:
        return []
    notes = []
    most = max(len(gain.seeds) for pair in tests for gain in pair.gains.values())
    needed = seeds_needed(len(tests))
    if most < needed:
        least = 2 / 2**most
        many = f"{words.one} needs" if len(tests) == 1 else f"{words.many} need"
        once = "one seed says" if most == 1 else f"{most} seeds say"
        notes.append(
            f"The test over seeds cannot reject here: {once} at best p = {min(least, 1):.2g} before correction, "
            f"and {len(tests)} {many} {needed} seeds for p < {LEVEL}."
        )
    planned = [pair for pair in tests if not _run_once(comparison, pair)]
    fewer = [p.name for p in planned if len(p.gains[comparison.headline[0]].seeds) < most]
    if fewer:
        notes.append(f"Over fewer seeds than the others: {', '.join(fewer)}.")
    return notes


def _seeds(comparison: Comparison) -> list[str]:
    once = [pair.name for pair in comparison.variants if _run_once(comparison, pair)]
    if not once:
        return []
    return [f"Run once, because another seed gives the same result: {', '.join(once)}."]


def _run_once(comparison: Comparison, variant: Variant) -> bool:
    """Whether a variant has a single run beside others with several, as deterministic models do."""
    return len(variant.runs) == 1 < len(comparison.seeds)


def _costs(comparison: Comparison) -> list[str]:
    notes = []
    threads = sorted({r.threads for pair in comparison.variants for r in pair.runs if r.threads})
    if len(threads) > 1:
        notes.append(
            f"Runs were trained with {' or '.join(map(str, threads))} threads, so their seconds cannot be compared."
        )
    if comparison.jobs > 1:
        notes.append(
            f"Up to {comparison.jobs} runs were trained at the same time, so they slowed each other down."
        )
    return notes
