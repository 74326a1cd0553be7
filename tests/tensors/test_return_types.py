"""The named result tuples have PyTorch's names, fields, printed form and tuple behaviour."""

import pickle

import pytest

from facula.tensors import return_types


def test_printed_form_is_pytorchs():
    assert repr(return_types.max((1, 2))) == "torch.return_types.max(\nvalues=1,\nindices=2)"


def test_behaves_as_a_tuple_with_names():
    result = return_types.linalg_svd(["u", "s", "v"])
    assert (result.U, result.S, result.Vh) == ("u", "s", "v") == result
    assert isinstance(result, tuple) and type(result[:2]) is tuple and len(result) == 3
    assert result.n_fields == result.n_sequence_fields == 3 and result.n_unnamed_fields == 0
    match result:
        case return_types.linalg_svd(u, s, vh):
            assert (u, s, vh) == ("u", "s", "v")


def test_fields_cannot_be_set():
    result = return_types.sort((1, 2))
    with pytest.raises(AttributeError):
        result.values = 3
    with pytest.raises(AttributeError):
        result.other = 3


def test_wrong_number_of_fields():
    with pytest.raises(TypeError, match=r"torch.return_types.max\(\) takes a 2-sequence \(3-seq"):
        return_types.max((1, 2, 3))
    with pytest.raises(TypeError, match="constructor requires a sequence"):
        return_types.max(1)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol):
    result = return_types.topk((1, 2))
    again = pickle.loads(pickle.dumps(result, protocol))
    assert again == result and type(again) is return_types.topk


def test_same_classes_as_pytorch():
    torch = pytest.importorskip("torch")
    theirs = {t.__name__: t.__match_args__ for t in torch.return_types.all_return_types}
    ours = {t.__name__: t.__match_args__ for t in return_types.all_return_types}
    assert ours == theirs
    for name in theirs:
        assert getattr(return_types, name).__name__ == name
