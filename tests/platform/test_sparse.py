"""Sparse tensors in coordinate form, beside PyTorch's."""

import copy
import pickle

import pytest

import facula

S = "torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))"
EXPRESSIONS = f"""
repr({S})
repr({S}.coalesce())
({S}.is_coalesced(), {S}._nnz(), {S}.sparse_dim(), {S}.dense_dim(), {S}.is_sparse)
{S}.indices()
{S}.coalesce().indices()
{S}.coalesce().values()
{S}.to_dense()
{S} + {S}
{S} - {S}
{S} * 2
2 * {S}
{S} / 2
-{S}
{S} * {S}
{S} * torch.full((2, 3), 2.0)
torch.ones(2, 3) + {S}
{S} + torch.ones(2, 3)
{S}.t()
{S} @ torch.ones(3, 2)
torch.mm({S}, torch.ones(3, 2))
torch.sparse.mm({S}, torch.ones(3, 2))
torch.sparse.mm({S}, {S}.t())
torch.sparse.addmm(torch.ones(2, 2), {S}, torch.ones(3, 2))
torch.sparse.sum({S})
torch.sparse.sum({S}, 0)
torch.sparse.softmax({S}, 1)
torch.sparse.log_softmax({S}, 0)
{S}.sum()
{S}.tanh()
{S}.double()
{S}.type()
{S}.numpy()
{S}.clone().zero_()
{S}[1]
torch.sparse_coo_tensor([[0, 0], [1, 1]], [3.0, 4.0]).coalesce()
torch.sparse_coo_tensor([[0, 1]], [1.0], (3,))
torch.sparse_coo_tensor((2, 3))
torch.eye(3).to_sparse()
repr(torch.eye(3).to_sparse(1))
torch.arange(6.0).reshape(2, 3).sparse_mask({S}.coalesce())
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_like_pytorch(expression):
    torch = pytest.importorskip("torch")
    from both import assert_same

    assert_same(expression, facula, torch)


def test_index_outside_the_size_is_refused():
    with pytest.raises(RuntimeError, match="size is inconsistent with indices"):
        facula.sparse_coo_tensor([[5]], [1.0], (3,))


def test_gradients_pass_through():
    dense = facula.tensor([[0.0, 1.0], [2.0, 0.0]], requires_grad=True)
    (dense.to_sparse().to_dense() * 3).sum().backward()
    assert dense.grad.tolist() == [[0.0, 3.0], [3.0, 0.0]]
    leaf = facula.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, 2.0], (2, 2), requires_grad=True)
    (leaf @ facula.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert leaf.grad.is_sparse
    assert leaf.grad.to_dense().tolist() == [[0.0, 7.0], [3.0, 0.0]]


def test_a_sparse_gradient_drives_sparse_adam():
    torch = pytest.importorskip("torch")
    found = []
    for lib in (facula, torch):
        w = lib.nn.Parameter(lib.tensor([1.0, -2.0, 3.0, 0.0]))
        optimizer = lib.optim.SparseAdam([w], lr=0.1)
        for i in range(3):
            w.grad = lib.sparse_coo_tensor([[i, 2]], [1.0, -1.0], (4,))
            optimizer.step()
        found.append(w.detach().tolist())
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_copies():
    s = facula.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (3,))
    for other in (copy.deepcopy(s), pickle.loads(pickle.dumps(s)), s.clone()):
        assert other.is_sparse and other.to_dense().tolist() == [1.0, 2.0, 0.0]


def test_large_sizes_are_never_made_dense():
    n = 10**6
    s = facula.sparse_coo_tensor([[0, n - 1], [5, 7]], [1.0, 2.0], (n, n))
    assert (s + s).coalesce().values().tolist() == [2.0, 4.0]
    assert (s @ facula.ones(n)).sum().item() == 3.0
    assert s.t().shape == (n, n) and float(s.sum()) == 3.0


@pytest.mark.filterwarnings("ignore:torch.sparse.SparseTensor:UserWarning")
@pytest.mark.parametrize(
    "expression",
    [
        "torch.sparse.FloatTensor(I, V, torch.Size([3, 3]))",
        "torch.sparse.FloatTensor(I, V)",
        "torch.sparse.LongTensor(I, V.long(), (3, 4))",
        "torch.sparse.FloatTensor(2, 3)",
        "torch.sparse.DoubleTensor(torch.Size([2, 3])).dtype",
        "torch.sparse.FloatTensor",
        "isinstance(torch.sparse.FloatTensor(I, V), torch.sparse.FloatTensor)",
        "isinstance(torch.sparse.FloatTensor(I, V), torch.sparse.DoubleTensor)",
        "torch.sparse.FloatTensor(I, V).type(torch.sparse.DoubleTensor)",
        "torch.spmm(torch.sparse.FloatTensor(I, V), torch.arange(6.0).view(3, 2))",
        "torch.spmm(torch.eye(3), torch.arange(6.0).view(3, 2))",
    ],
)
def test_typed_names_and_spmm(expression):
    """What graph networks of the first years of PyTorch are written with."""
    rt = pytest.importorskip("torch")

    def shown(torch):
        indices, values = torch.tensor([[0, 1, 2], [1, 0, 2]]), torch.tensor([1.0, 2.0, 3.0])
        return repr(eval(expression, {"torch": torch, "I": indices, "V": values}))

    assert shown(facula) == shown(rt)


def test_gradient_of_spmm():
    adjacency = facula.sparse.FloatTensor(
        facula.tensor([[0, 1, 2, 0], [1, 0, 2, 2]]), facula.tensor([1.0, 2.0, 3.0, 4.0])
    )
    x = facula.arange(6.0).view(3, 2).requires_grad_()
    facula.spmm(adjacency, x).sum().backward()
    assert x.grad.tolist() == [[2.0, 2.0], [1.0, 1.0], [7.0, 7.0]]
    with pytest.raises(RuntimeError, match="mat2 must be a matrix"):
        facula.spmm(adjacency, x[:, 0])
