"""Each loss against its definition written out over all pairs, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from darec.alignments.darec import (
    global_structure_loss,
    local_structure_loss,
    orthogonality_loss,
    structure_products,
    uniformity_loss,
)
from darec.numerics import rows as rows_module


def table(n: int, d: int, seed: int = 0, *, grad: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64).requires_grad_(grad)


def tables(count: int, n: int = 9, d: int = 4, *, grad: bool = False) -> list[Tensor]:
    return [table(n, d, seed, grad=grad) for seed in range(count)]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 4 rows, so that small tables have several and a ragged last one."""
    monkeypatch.setattr(rows_module, "CHUNK", 4)


def orthogonality_reference(C_sh: Tensor, C_sp: Tensor, L_sh: Tensor, L_sp: Tensor) -> Tensor:
    return sum(F.cosine_similarity(a, b).square().mean() for a, b in ((C_sh, C_sp), (L_sh, L_sp)))


def uniformity_reference(C_sp: Tensor, L_sp: Tensor) -> Tensor:
    total = C_sp.new_zeros(())
    for x in (C_sp, L_sp):
        x = F.normalize(x, dim=1)
        squared = (x[:, None] - x[None]).square().sum(2)
        off_diagonal = ~torch.eye(len(x), dtype=torch.bool)
        total = total + torch.exp(-2 * squared[off_diagonal]).mean().log()
    return total


def global_reference(C_sh: Tensor, L_sh: Tensor) -> Tensor:
    C, L = F.normalize(C_sh, dim=1), F.normalize(L_sh, dim=1)
    return (C @ C.T - L @ L.T).square().mean()


def local_reference(
    C_sh: Tensor, L_sh: Tensor, clusters_C: Tensor, clusters_L: Tensor, matching: Tensor
) -> Tensor:
    gaps = [
        (C_sh[clusters_C == k].mean(0) - L_sh[clusters_L == partner].mean(0)).square().sum()
        for k, partner in enumerate(matching.tolist())
    ]
    return torch.stack(gaps).mean()


CLUSTERS_C = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0, 1])
CLUSTERS_L = torch.tensor([2, 2, 1, 0, 0, 1, 1, 2, 1])
MATCHING = torch.tensor([1, 2, 0])


@pytest.mark.parametrize(
    ("loss", "reference", "count"),
    [
        (orthogonality_loss, orthogonality_reference, 4),
        (uniformity_loss, uniformity_reference, 2),
        (lambda *x: uniformity_loss(*x, chunk_size=2), uniformity_reference, 2),
        (global_structure_loss, global_reference, 2),
        (
            lambda *x: local_structure_loss(*x, CLUSTERS_C, CLUSTERS_L, MATCHING),
            lambda *x: local_reference(*x, CLUSTERS_C, CLUSTERS_L, MATCHING),
            2,
        ),
    ],
    ids=["orthogonality", "uniformity", "uniformity-blocks", "global", "local"],
)
@pytest.mark.usefixtures("small_chunks")
class TestAgainstDefinition:
    def test_value_and_gradient(self, loss, reference, count) -> None:
        inputs = tables(count, grad=True)
        value, expected = loss(*inputs), reference(*inputs)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-14)
        gradients = torch.autograd.grad(3 * value, inputs)
        wanted = torch.autograd.grad(3 * expected, inputs)
        torch.testing.assert_close(gradients, wanted, rtol=1e-10, atol=1e-13)

    def test_gradcheck(self, loss, reference, count) -> None:
        assert torch.autograd.gradcheck(loss, tables(count, grad=True))

    def test_gradient_of_one_input_alone(self, loss, reference, count) -> None:
        inputs = tables(count)
        inputs[-1].requires_grad_()
        (gradient,) = torch.autograd.grad(loss(*inputs), inputs[-1])
        (wanted,) = torch.autograd.grad(reference(*inputs), inputs[-1])
        torch.testing.assert_close(gradient, wanted)

    def test_without_gradient(self, loss, reference, count) -> None:
        value = loss(*tables(count))
        assert not value.requires_grad
        torch.testing.assert_close(value, reference(*tables(count)))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
    def test_dtypes(self, loss, reference, count, dtype) -> None:
        inputs = [x.to(dtype).requires_grad_() for x in tables(count)]
        value = loss(*inputs)
        assert value.dtype == torch.float32
        expected = reference(*(x.detach().double() for x in inputs))
        torch.testing.assert_close(value.detach().double(), expected, rtol=1e-5, atol=1e-6)
        assert all(g.dtype == dtype for g in torch.autograd.grad(value, inputs))

    def test_autocast_does_not_reach_the_sums(self, loss, reference, count) -> None:
        inputs = [x.float().requires_grad_() for x in tables(count)]
        plain = loss(*inputs)
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(*inputs)
            gradients = torch.autograd.grad(value, inputs)
        assert torch.equal(value, plain)
        for gradient, wanted in zip(gradients, torch.autograd.grad(plain, inputs), strict=True):
            assert torch.equal(gradient, wanted)


@pytest.mark.usefixtures("small_chunks")
class TestInvariance:
    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6), n=st.integers(2, 12), d=st.integers(1, 5))
    def test_to_the_order_of_rows(self, seed: int, n: int, d: int) -> None:
        parts = [table(n, d, seed + i) for i in range(4)]
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        moved = [x[order] for x in parts]
        for loss, count in (
            (orthogonality_loss, 4),
            (uniformity_loss, 2),
            (global_structure_loss, 2),
        ):
            torch.testing.assert_close(
                loss(*parts[:count]), loss(*moved[:count]), atol=1e-12, rtol=0
            )

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6), low=st.floats(1e-6, 1), high=st.floats(1, 1e6))
    def test_to_the_lengths_of_rows(self, seed: int, low: float, high: float) -> None:
        parts = [table(7, 3, seed + i) for i in range(4)]
        scale = torch.linspace(low, high, 7, dtype=torch.float64)[:, None]
        scaled = [parts[0] * scale, parts[1] * scale.flip(0), parts[2] / scale, parts[3] * 2]
        for loss, count in (
            (orthogonality_loss, 4),
            (uniformity_loss, 2),
            (global_structure_loss, 2),
        ):
            torch.testing.assert_close(
                loss(*parts[:count]), loss(*scaled[:count]), atol=1e-10, rtol=0
            )

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6), K=st.integers(1, 5))
    def test_of_local_structure_to_the_names_of_clusters(self, seed: int, K: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        C, L = table(12, 3, seed), table(12, 3, seed + 1)
        at_least_one = torch.arange(K)
        clusters_C, clusters_L = (
            torch.cat([at_least_one, torch.randint(K, (12 - K,), generator=generator)])
            for _ in range(2)
        )
        matching, rename_C, rename_L = (torch.randperm(K, generator=generator) for _ in range(3))
        renamed = torch.empty_like(matching)
        renamed[rename_C] = rename_L[matching]
        torch.testing.assert_close(
            local_structure_loss(C, L, clusters_C, clusters_L, matching),
            local_structure_loss(C, L, rename_C[clusters_C], rename_L[clusters_L], renamed),
        )

    def test_of_global_structure_to_rotation_and_padding(self) -> None:
        C, L = tables(2)
        rotation = torch.linalg.qr(table(4, 4, 5)).Q
        torch.testing.assert_close(
            global_structure_loss(C @ rotation, L), global_structure_loss(C, L)
        )
        torch.testing.assert_close(
            global_structure_loss(F.pad(C, (0, 3)), L), global_structure_loss(C, L)
        )


class TestLimits:
    def test_orthogonality_of_perpendicular_and_of_equal_parts(self) -> None:
        x = torch.eye(4)[[0, 1]]
        y = torch.eye(4)[[2, 3]]
        assert orthogonality_loss(x, y, 3 * y, x) == 0
        assert orthogonality_loss(x, 5 * x, y, -y) == 2

    def test_uniformity_of_one_point_and_of_opposite_points(self) -> None:
        same = torch.tensor([[1.0, 2.0]]).repeat(3, 1)
        opposite = torch.tensor([[1.0, 2.0], [-2.0, -4.0]])
        assert uniformity_loss(same, same).item() == pytest.approx(0, abs=1e-6)
        assert uniformity_loss(opposite, opposite).item() == pytest.approx(-16, rel=1e-6)

    def test_global_structure_of_equal_and_of_opposed_similarities(self) -> None:
        x = table(50, 8).float()
        assert global_structure_loss(x, 2 * x) == 0
        line = torch.tensor([[1.0], [1.0]])
        cross = torch.tensor(
            [[1.0], [-1.0]]
        )  # S differs by 2 off the diagonal, half of the entries
        assert global_structure_loss(line, cross) == 2

    def test_local_structure_of_equal_sides(self) -> None:
        x = table(9, 3)
        identity = torch.arange(3)
        assert local_structure_loss(x, x, CLUSTERS_C, CLUSTERS_C, identity) == 0

    def test_local_structure_of_a_shift(self) -> None:
        x = table(9, 3)
        shifted = x + torch.tensor([3.0, 0.0, 4.0])
        loss = local_structure_loss(x, shifted, CLUSTERS_C, CLUSTERS_C, torch.arange(3))
        assert loss.item() == pytest.approx(25)


@pytest.mark.usefixtures("small_chunks")
class TestRowsOfZeros:
    """A row of zeros has the zero row for its unit row, and gets no gradient; nothing becomes NaN."""

    @pytest.mark.parametrize(
        ("loss", "count"),
        [
            (orthogonality_loss, 4),
            (uniformity_loss, 2),
            (lambda *x: uniformity_loss(*x, chunk_size=2), 2),
            (lambda *x: uniformity_loss(*x, n_sampled=12), 2),
            (global_structure_loss, 2),
        ],
        ids=["orthogonality", "uniformity", "uniformity-blocks", "uniformity-sampled", "global"],
    )
    def test_value_and_gradient_are_finite(self, loss, count) -> None:
        inputs = tables(count)
        for i, x in enumerate(inputs):
            x[i] = 0
            x[7] = 0
            x.requires_grad_()
        value = loss(*inputs)
        gradients = torch.autograd.grad(value, inputs)
        assert value.isfinite()
        for i, gradient in enumerate(gradients):
            assert gradient.isfinite().all()
            assert not gradient[[i, 7]].any()
            assert gradient.any()

    def test_values_follow_the_definition(self) -> None:
        C, L = tables(2)
        C[[1, 4]] = 0
        L[2] = 0
        torch.testing.assert_close(global_structure_loss(C, L), global_reference(C, L))
        torch.testing.assert_close(uniformity_loss(C, L, chunk_size=2), uniformity_reference(C, L))
        zeros = torch.zeros(3, 2)
        assert uniformity_loss(zeros, zeros) == 0
        assert orthogonality_loss(zeros, zeros, zeros, zeros) == 0

    def test_tiny_rows_keep_their_direction(self) -> None:
        x, y = table(6, 4).float(), table(6, 4, 1).float()
        torch.testing.assert_close(
            global_structure_loss(x * 1e-15, y * 1e15), global_structure_loss(x, y)
        )


class TestGlobalStructure:
    def test_products_of_parts_add_up(self) -> None:
        C, L = table(11, 4, grad=True), table(11, 4, 1, grad=True)
        whole = structure_products(C, L)
        parts = [structure_products(C[s], L[s]) for s in (slice(3), slice(3, 8), slice(8, 11))]
        together = parts[0] + parts[1] + parts[2]
        assert together.n_rows == 11
        torch.testing.assert_close(together.loss(), global_structure_loss(C, L))
        torch.testing.assert_close(
            torch.autograd.grad(together.loss(), (C, L)), torch.autograd.grad(whole.loss(), (C, L))
        )

    def test_widths_may_differ(self) -> None:
        C, L = table(9, 3, grad=True), table(9, 7, 1, grad=True)
        for left, right in ((C, L), (L, C)):
            value, wanted = global_structure_loss(left, right), global_reference(left, right)
            torch.testing.assert_close(value, wanted)
            torch.testing.assert_close(
                torch.autograd.grad(value, (left, right)),
                torch.autograd.grad(wanted, (left, right)),
            )

    @pytest.mark.parametrize("noise", [1e-1, 1e-3, 1e-5])
    def test_float32_keeps_its_digits_where_the_sides_nearly_coincide(self, noise: float) -> None:
        x = table(5000, 16).float()
        y = x + noise * table(5000, 16, 1).float()
        value = global_structure_loss(x, y).item()
        exact = global_structure_loss(x.double(), y.double()).item()
        # Rounding of the unit rows themselves, 6e-8, is a share of their distance that grows as it shrinks.
        assert value == pytest.approx(exact, rel=1e-5 + 1e-7 / noise)

    def test_float32_noise_floor_where_similarities_coincide_and_rows_do_not(self) -> None:
        x = table(5000, 16) + 1
        rotation = torch.linalg.qr(table(16, 16, 3)).Q
        assert abs(global_structure_loss(x.float(), (x @ rotation).float()).item()) < 3e-9

    def test_sampling_converges_to_the_exact_loss(self) -> None:
        C, L = table(300, 6), table(300, 6, 1)
        generator = torch.Generator().manual_seed(0)
        draws = torch.stack(
            [global_structure_loss(C, L, n_sampled=60, generator=generator) for _ in range(400)]
        )
        corrected = draws / ((1 - 1 / 60) / (1 - 1 / 300))
        error = corrected.std() / math.sqrt(len(draws))
        exact = global_structure_loss(C, L)
        assert error < 0.01 * exact
        assert abs(corrected.mean() - exact) < 3 * error

    def test_a_sample_is_the_loss_of_its_rows(self) -> None:
        C, L = table(30, 4, grad=True), table(30, 4, 1)
        value = global_structure_loss(
            C, L, n_sampled=10, generator=torch.Generator().manual_seed(3)
        )
        (gradient,) = torch.autograd.grad(value, C)
        rows = gradient.any(1).nonzero().flatten()
        assert len(rows) == 10
        torch.testing.assert_close(value, global_reference(C[rows], L[rows]))
        again = global_structure_loss(
            C, L, n_sampled=10, generator=torch.Generator().manual_seed(3)
        )
        assert torch.equal(value, again)

    def test_a_sample_of_all_rows_or_more_is_exact_and_draws_nothing(self) -> None:
        C, L = tables(2)
        generator = torch.Generator().manual_seed(0)
        state = generator.get_state()
        value = global_structure_loss(C, L, n_sampled=9, generator=generator)
        assert torch.equal(value, global_structure_loss(C, L))
        assert torch.equal(state, generator.get_state())

    def test_bad_input(self) -> None:
        C, L = tables(2)
        with pytest.raises(ValueError, match=r"\[9, 4\] and \[8, 4\]"):
            global_structure_loss(C, L[:8])
        with pytest.raises(ValueError, match="n_sampled=0"):
            global_structure_loss(C, L, n_sampled=0)
        with pytest.raises(ValueError, match="no rows"):
            global_structure_loss(C[:0], L[:0])

    def test_no_temporary_of_n_rows_beside_inverse_lengths_and_gradients(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        saved: list[int] = []
        C, L = table(500, 8, grad=True), table(500, 8, 1, grad=True)
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: (saved.append(t.numel() if t is not C and t is not L else 0), t)[1],
            lambda t: t,
        ):
            global_structure_loss(C, L)
        assert max(saved) <= max(500, 8 * 8)


class TestUniformity:
    @pytest.mark.parametrize(("n_sampled", "repeats"), [(30, 600), (400, 300)])
    def test_the_sampled_mean_is_unbiased(self, n_sampled: int, repeats: int) -> None:
        x = table(60, 3) + torch.tensor([1.0, 0.0, 0.0])
        generator = torch.Generator().manual_seed(0)
        constant = torch.ones(2, 3, dtype=torch.float64)  # the other side adds exactly 0
        means = torch.stack(
            [
                uniformity_loss(x, constant, n_sampled=n_sampled, generator=generator).exp()
                for _ in range(repeats)
            ]
        )
        error = means.std() / math.sqrt(repeats)
        exact = uniformity_loss(x, constant).exp()
        assert error < 0.02 * exact
        assert abs(means.mean() - exact) < 3 * error

    @settings(max_examples=40, deadline=None)
    @given(n=st.integers(2, 40), share=st.floats(0.001, 0.999))
    def test_enough_pairs_in_whole_groups_of_distinct_rows(self, n: int, share: float) -> None:
        from darec.alignments.darec.uniformity import _grouping

        n_pairs = n * (n - 1) // 2
        n_sampled = max(1, int(share * n_pairs))
        if n_sampled >= n_pairs:
            return
        size, count = _grouping(n, n_sampled)
        in_group = size * (size - 1) // 2
        assert size * count <= n
        assert n_sampled <= count * in_group < n_sampled + in_group

    @pytest.mark.usefixtures("small_chunks")
    def test_sampled_gradient(self) -> None:
        C, L = tables(2, grad=True)

        def loss(C: Tensor, L: Tensor) -> Tensor:
            return uniformity_loss(C, L, n_sampled=10, generator=torch.Generator().manual_seed(1))

        assert torch.autograd.gradcheck(loss, (C, L))

    def test_a_sample_of_all_pairs_is_exact(self) -> None:
        C, L = tables(2)
        assert torch.equal(uniformity_loss(C, L, n_sampled=36), uniformity_loss(C, L))

    def test_sides_may_differ_in_rows(self) -> None:
        C, L = table(9, 4), table(5, 3, 1)
        torch.testing.assert_close(uniformity_loss(C, L), uniformity_reference(C, L))

    def test_bad_input(self) -> None:
        x = table(3, 2)
        with pytest.raises(ValueError, match="at least two rows"):
            uniformity_loss(x, x[:1])
        with pytest.raises(ValueError, match="n_sampled=0"):
            uniformity_loss(x, x, n_sampled=0)
        with pytest.raises(ValueError, match="chunk_size=0"):
            uniformity_loss(x, x, chunk_size=0)


def test_bad_shapes_of_the_others() -> None:
    x, y = table(3, 2), table(3, 3)
    with pytest.raises(ValueError, match=r"\[3, 2\] and \[3, 3\]"):
        orthogonality_loss(x, y, x, x)
    clusters, matching = torch.tensor([0, 1, 1]), torch.tensor([1, 0])
    with pytest.raises(ValueError, match="one width"):
        local_structure_loss(x, y, clusters, clusters, matching)
    with pytest.raises(ValueError, match="needs a row"):
        local_structure_loss(x, x, clusters, torch.zeros(3, dtype=torch.long), matching)
