"""K-means and the matching of clusters, on planted blobs and planted permutations."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from darec.alignments.darec import kmeans, match_clusters
from darec.errors import ConfigError, RunError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(K: int, size: int, d: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rows around K centres that are some 100 times farther apart than the blobs are wide, shuffled; their labels."""
    generator = seeded(seed)
    centres = 100 * torch.randn(K, d, generator=generator)
    labels = torch.arange(K).repeat(size)[torch.randperm(K * size, generator=generator)]
    return centres[labels] + torch.randn(K * size, d, generator=generator), labels


def inertia(x: Tensor, centres: Tensor, assignments: Tensor) -> float:
    return float((x - centres[assignments]).square().sum())


def means(x: Tensor, assignments: Tensor, K: int) -> Tensor:
    return torch.stack([x[assignments == k].mean(0) for k in range(K)])


class TestKMeans:
    @pytest.mark.parametrize("K", [1, 4, 30])
    @pytest.mark.parametrize("seed", range(5))
    def test_recovers_planted_blobs(self, K: int, seed: int) -> None:
        x, labels = blobs(K, 20, seed=seed)
        clusters = kmeans(x, K, generator=seeded(seed))
        pairs = set(zip(labels.tolist(), clusters.assignments.tolist(), strict=True))
        assert len(pairs) == K  # one name for each blob, and no name for two
        torch.testing.assert_close(clusters.centres, means(x, clusters.assignments, K))

    def test_recovers_planted_blobs_far_from_the_origin_in_float32(self) -> None:
        x, labels = blobs(6, 20)
        clusters = kmeans(x + 1e5, 6, generator=seeded())
        assert len(set(zip(labels.tolist(), clusters.assignments.tolist(), strict=True))) == 6

    def test_does_not_depend_on_the_chunk_size(self) -> None:
        x = torch.randn(103, 4, generator=seeded())
        whole, chunked = (kmeans(x, 7, generator=seeded(1), chunk_size=c) for c in (4096, 10))
        assert torch.equal(whole.assignments, chunked.assignments)
        torch.testing.assert_close(whole.centres, chunked.centres)

    def test_is_repeatable_and_the_generator_matters(self) -> None:
        x = torch.randn(200, 4, generator=seeded())
        first, second, other = (kmeans(x, 9, generator=seeded(s)) for s in (3, 3, 4))
        assert torch.equal(first.centres, second.centres)
        assert torch.equal(first.assignments, second.assignments)
        assert not torch.equal(first.centres, other.centres)

    def test_inertia_falls_with_every_iteration_as_in_scikit_learn(self) -> None:
        cluster = pytest.importorskip("sklearn.cluster")
        x = torch.randn(300, 3, generator=seeded(), dtype=torch.float64)
        start = x[:8].clone()
        values = []
        for n in range(1, 30):
            ours = kmeans(x, 8, generator=seeded(), centres=start, n_iterations=n, tol=0)
            values.append(inertia(x, ours.centres, ours.assignments))
        assert all(later <= earlier + 1e-9 for earlier, later in pairwise(values))
        theirs = cluster.KMeans(8, init=start.numpy(), n_init=1, tol=0, max_iter=300).fit(x.numpy())
        ours = kmeans(x, 8, generator=seeded(), centres=start, n_iterations=300, tol=0)
        assert ours.n_iterations < 300
        assert ours.assignments.tolist() == theirs.labels_.tolist()
        torch.testing.assert_close(ours.centres, torch.from_numpy(theirs.cluster_centers_))

    def test_one_warm_iteration_is_one_assignment_and_one_mean(self) -> None:
        x = torch.randn(50, 3, generator=seeded())
        start = x[:4] + 0.1
        generator = seeded()
        state = generator.get_state()
        clusters = kmeans(x, 4, generator=generator, centres=start, n_iterations=1)
        assert torch.equal(clusters.assignments, torch.cdist(x, start).argmin(1))
        torch.testing.assert_close(clusters.centres, means(x, clusters.assignments, 4))
        assert clusters.n_iterations == 1
        assert torch.equal(state, generator.get_state())

    def test_a_start_at_the_solution_stops_at_once(self) -> None:
        x, _ = blobs(5, 20)
        solution = kmeans(x, 5, generator=seeded())
        again = kmeans(x, 5, generator=seeded(), centres=solution.centres)
        assert again.n_iterations == 1
        assert torch.equal(again.assignments, solution.assignments)

    def test_empty_clusters_take_the_farthest_rows(self) -> None:
        x = torch.tensor([[0.0], [1.0], [2.0], [3.0], [50.0], [90.0]])
        start = torch.tensor([[1.0], [1000.0], [2000.0]])
        clusters = kmeans(x, 3, generator=seeded(), centres=start, n_iterations=1)
        assert clusters.assignments.tolist() == [0, 0, 0, 0, 2, 1]
        assert clusters.centres.flatten().tolist() == [1.5, 90.0, 50.0]
        assert clusters.n_reseeded == 2

    def test_a_cluster_is_not_emptied_to_fill_another(self) -> None:
        x = torch.tensor([[0.0], [1.0], [500.0]])
        start = torch.tensor([[0.4], [100.0], [9000.0]])  # the farthest row is alone in its cluster
        clusters = kmeans(x, 3, generator=seeded(), centres=start, n_iterations=1)
        assert sorted(clusters.assignments.tolist()) == [0, 1, 2]
        assert clusters.assignments[2] == 1

    @settings(max_examples=40, deadline=None)
    @given(
        seed=st.integers(0, 10**6),
        n=st.integers(1, 25),
        distinct=st.integers(1, 6),
        data=st.data(),
    )
    def test_every_cluster_has_a_row_even_of_repeated_rows(
        self, seed: int, n: int, distinct: int, data: st.DataObject
    ) -> None:
        K = data.draw(st.integers(1, n))
        x = torch.randn(distinct, 2, generator=seeded(seed))
        x = x[torch.randint(distinct, (n,), generator=seeded(seed))]
        clusters = kmeans(x, K, generator=seeded(seed))
        assert set(clusters.assignments.tolist()) == set(range(K))
        torch.testing.assert_close(clusters.centres, means(x, clusters.assignments, K))

    def test_centres_found_on_a_sample_of_rows(self) -> None:
        x, labels = blobs(4, 200)
        clusters = kmeans(x, 4, generator=seeded(), n_sampled=80)
        assert len(set(zip(labels.tolist(), clusters.assignments.tolist(), strict=True))) == 4
        torch.testing.assert_close(clusters.centres, means(x, clusters.assignments, 4))

    def test_has_no_gradient_and_widens_half_precision(self) -> None:
        x = torch.randn(20, 3, generator=seeded(), requires_grad=True)
        assert not kmeans(x, 3, generator=seeded()).centres.requires_grad
        half = kmeans(x.bfloat16(), 3, generator=seeded())
        assert half.centres.dtype == torch.float32

    def test_bad_settings(self) -> None:
        x = torch.randn(5, 2, generator=seeded())
        with pytest.raises(ConfigError, match="6 clusters of 5 rows"):
            kmeans(x, 6, generator=seeded())
        with pytest.raises(ConfigError, match="4 clusters of 3 rows"):
            kmeans(x, 4, generator=seeded(), n_sampled=3)
        with pytest.raises(ConfigError, match="n_clusters=0"):
            kmeans(x, 0, generator=seeded())
        with pytest.raises(ConfigError, match="n_iterations=0"):
            kmeans(x, 2, generator=seeded(), n_iterations=0)
        with pytest.raises(ValueError, match=r"centres \[3, 2\]: expected \[2, 2\]"):
            kmeans(x, 2, generator=seeded(), centres=x[:3])


def cost(C: Tensor, L: Tensor, matching: Tensor) -> float:
    return float((C - L[matching]).square().sum())


@pytest.mark.parametrize("method", ["greedy", "optimal"])
class TestMatching:
    @pytest.mark.parametrize("K", [1, 2, 17, 64])
    def test_recovers_a_planted_permutation(self, method: str, K: int) -> None:
        planted = torch.randperm(K, generator=seeded(K))
        L = 10 * torch.randn(K, 6, generator=seeded(), dtype=torch.float64)
        C = L[planted] + 0.01 * torch.randn(K, 6, generator=seeded(1), dtype=torch.float64)
        assert torch.equal(match_clusters(C, L, method), planted)

    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10**6), K=st.integers(1, 8))
    def test_follows_permutations_of_either_side(self, method: str, seed: int, K: int) -> None:
        generator = seeded(seed)
        C, L = (torch.randn(K, 3, generator=generator, dtype=torch.float64) for _ in range(2))
        p, q = (torch.randperm(K, generator=generator) for _ in range(2))
        matching = match_clusters(C, L, method)
        assert sorted(matching.tolist()) == list(range(K))
        assert torch.equal(match_clusters(C[p], L, method), matching[p])
        assert torch.equal(q[match_clusters(C, L[q], method)], matching)

    def test_refuses_what_is_not_finite(self, method: str) -> None:
        C = torch.randn(3, 2, generator=seeded())
        broken = C.clone()
        broken[1, 0] = torch.nan
        with pytest.raises(RunError, match="diverged"):
            match_clusters(C, broken, method)

    def test_refuses_other_shapes(self, method: str) -> None:
        with pytest.raises(ValueError, match=r"\[3, 2\] and \[4, 2\]"):
            match_clusters(torch.zeros(3, 2), torch.zeros(4, 2), method)


class TestMatchingMethods:
    def test_greedy_takes_the_closest_free_pair_and_optimal_the_least_sum(self) -> None:
        C = torch.tensor([[0.0], [3.0]])
        L = torch.tensor([[2.0], [40.0]])
        # Closest pair is (3, 2); it leaves 0 with 40: 1 + 1600. The other way round: 4 + 1369.
        assert match_clusters(C, L, "greedy").tolist() == [1, 0]
        assert match_clusters(C, L, "optimal").tolist() == [0, 1]

    def test_greedy_gives_equal_distances_to_the_lower_indices(self) -> None:
        same = torch.zeros(4, 2)
        assert match_clusters(same, same).tolist() == [0, 1, 2, 3]

    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 10**6), K=st.integers(1, 6))
    def test_optimal_is_the_best_of_all_permutations(self, seed: int, K: int) -> None:
        C, L = (torch.randn(K, 2, generator=seeded(seed + i), dtype=torch.float64) for i in (0, 1))
        optimal = cost(C, L, match_clusters(C, L, "optimal"))
        best = min(cost(C, L, torch.tensor(p)) for p in permutations(range(K)))
        assert optimal == pytest.approx(best)
        assert optimal <= cost(C, L, match_clusters(C, L, "greedy")) + 1e-9

    def test_unknown_method_names_the_nearest(self) -> None:
        with pytest.raises(ConfigError, match="did you mean 'optimal'"):
            match_clusters(torch.zeros(1, 1), torch.zeros(1, 1), "optimum")  # type: ignore[arg-type]
