"""Recurrent layers: RNN, LSTM and GRU over whole sequences."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

from facula import operators as ops
from facula import tensors
from facula.nn import functional as F
from facula.nn import init
from facula.nn.modules.module import Module
from facula.nn.modules.rnn_cells import GRUCell as GRUCell
from facula.nn.modules.rnn_cells import LSTMCell as LSTMCell
from facula.nn.modules.rnn_cells import RNNCell as RNNCell
from facula.nn.modules.rnn_cells import RNNCellBase as RNNCellBase
from facula.nn.parameter import Parameter
from facula.nn.recurrence import SEQUENCES, packing
from facula.nn.utils.rnn import PackedSequence
from facula.tensors import Tensor

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def apply_permutation(tensor: Tensor, permutation: Tensor, dim: int = 1) -> Tensor:
    """The tensor with its axis ``dim`` in the order given."""
    return tensor.index_select(dim, permutation)


class RNNBase(Module):
    """What RNN, LSTM and GRU share: weights, checks and the run over layers and directions."""

    __constants__ = [
        "mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout",
        "bidirectional", "proj_size",
    ]  # fmt: skip

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout) if isinstance(dropout, numbers.Real) else dropout
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_arguments(dropout)
        self._all_weights: list[list[str]] = []
        self._make_weights({"device": device, "dtype": dtype})
        self.reset_parameters()

    def _check_arguments(self, dropout: Any) -> None:
        if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool):
            _bad_dropout()
        if not 0 <= dropout <= 1:  # type: ignore[operator]
            _bad_dropout()
        if dropout > 0 and self.num_layers == 1:  # type: ignore[operator]
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={self.num_layers}",
                stacklevel=4,
            )
        if not isinstance(self.hidden_size, int):
            raise TypeError(
                f"hidden_size should be of type int, got: {type(self.hidden_size).__name__}"
            )
        if self.hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + self.mode)

    def _make_weights(self, kind: dict[str, Any]) -> None:
        rows = _GATES[self.mode] * self.hidden_size
        out = self.proj_size or self.hidden_size
        directions = 2 if self.bidirectional else 1
        for layer in range(self.num_layers):
            width = self.input_size if layer == 0 else out * directions
            for direction in range(directions):
                end = f"_l{layer}" + ("_reverse" if direction else "")
                shapes: dict[str, tuple] = {
                    "weight_ih" + end: (rows, width),
                    "weight_hh" + end: (rows, out),
                }
                if self.bias:
                    shapes["bias_ih" + end] = shapes["bias_hh" + end] = (rows,)
                if self.proj_size:
                    shapes["weight_hr" + end] = (self.proj_size, self.hidden_size)
                for name, shape in shapes.items():
                    setattr(self, name, Parameter(tensors.empty(shape, **kind)))
                self._all_weights.append(list(shapes))

    def reset_parameters(self) -> None:
        """Draw new weights."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each layer and direction, in the order of their names."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Any]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    def flatten_parameters(self) -> None:
        """Accepted for compatibility: the compiler lays out the weights."""

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size != 0:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if self.batch_first is not False:
            text += f", batch_first={self.batch_first}"
        if self.dropout != 0:
            text += f", dropout={self.dropout}"
        if self.bidirectional is not False:
            text += f", bidirectional={self.bidirectional}"
        return text

    # Checks ----------------------------------------------------------------------------------

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise unless the input has the right axes, size and dtype."""
        dtype = self._weight(self._all_weights[0][0]).dtype
        if input.dtype != dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert "
                f"input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        axes = 2 if batch_sizes is not None else 3
        if input.dim() != axes:
            raise RuntimeError(f"input must have {axes} dimensions, got {input.dim()}")
        if self.input_size != input.shape[-1]:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.size(-1)}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Any) -> tuple[int, int, int]:
        """(layers times directions, batch, output size)."""
        return self._state_size(input, batch_sizes, self.proj_size or self.hidden_size)

    def _state_size(self, input: Tensor, batch_sizes: Any, width: int) -> tuple[int, int, int]:
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.size(0) if self.batch_first else input.size(1)
        return self.num_layers * (2 if self.bidirectional else 1), batch, width

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """Raise unless a state has the expected size."""
        if tuple(hx.size()) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Any) -> None:
        """Raise unless input and state fit the layer."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The state with its batch in the order given."""
        if permutation is None:
            return hx
        if isinstance(hx, tuple):
            return tuple(apply_permutation(h, permutation) for h in hx)
        return apply_permutation(hx, permutation)

    # Running ---------------------------------------------------------------------------------

    def _state_widths(self) -> list[int]:
        """The last size of each tensor of the state."""
        return [self.proj_size or self.hidden_size]

    def forward(self, input: Any, hx: Any = None) -> Any:
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        axes = input.dim()
        if axes not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {axes}D instead"
            )
        batched = axes == 3
        batch_first = self.batch_first
        batch_axis = 0 if batch_first else 1
        if hx is not None:
            hx = self._check_state_axes(hx, batched)
        if not batched:
            input = input.unsqueeze(batch_axis)
        if hx is None and type(self) in _WITH_KNOWN_CHECKS:
            self.check_input(input, None)
        else:
            if hx is None:
                hx = self._zero_state(input, input.shape[batch_axis])
            self.check_forward_args(input, hx, None)
            hx = hx if isinstance(hx, tuple) else (hx,)
        steps = input.transpose(0, 1) if batch_first else input
        output, state = self._layers(steps, hx, None)
        if batch_first:
            output = output.transpose(0, 1)
        if not batched:
            output = output.squeeze(batch_axis)
            state = tuple(s.squeeze(1) for s in state)
        return output, self._outer_state(state)

    def _forward_packed(self, packed: PackedSequence, hx: Any) -> Any:
        data, batch_sizes, to_sorted, to_original = packed
        if hx is None:
            hx = self._zero_state(data, int(batch_sizes[0]))
        else:
            hx = self.permute_hidden(hx, to_sorted)
        self.check_forward_args(data, hx, batch_sizes)
        sizes = batch_sizes.tolist()
        output, state = self._layers(data, hx if isinstance(hx, tuple) else (hx,), sizes)
        result = PackedSequence(output, batch_sizes, to_sorted, to_original)
        return result, self.permute_hidden(self._outer_state(state), to_original)

    def _check_state_axes(self, hx: Any, batched: bool) -> Any:
        axes = 3 if batched else 2
        if hx.dim() != axes:
            kind = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {kind} input, hx should also be {axes}-D but got {hx.dim()}-D tensor"
            )
        return hx if batched else hx.unsqueeze(1)

    def _zero_state(self, input: Tensor, batch: int) -> Any:
        count = self.num_layers * (2 if self.bidirectional else 1)
        zeros = tuple(
            tensors.zeros(count, batch, width, dtype=input.dtype, device=input.device)
            for width in self._state_widths()
        )
        return self._outer_state(zeros)

    def _outer_state(self, state: tuple) -> Any:
        return state[0] if len(state) == 1 else state

    def _layers(
        self, steps: Tensor, hx: tuple | None, sizes: list[int] | None
    ) -> tuple[Tensor, tuple]:
        """Run all layers and directions; ``hx`` stacks their states on the first axis.

        Without ``hx`` all of them start from zeros.
        """
        run = SEQUENCES[self.mode]
        directions = 2 if self.bidirectional else 1
        finals = []
        packings = [packing(sizes, d == 1) if sizes else () for d in range(directions)]
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                place = layer * directions + direction
                state = () if hx is None else tuple([h[place] for h in hx])
                output, state = run(
                    steps, state, self._cell(place), packings[direction], direction == 1
                )
                outputs.append(output)
                finals.append(state)
            steps = outputs[0] if directions == 1 else ops.cat(outputs, -1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                steps = F.dropout(steps, self.dropout, True)
        return steps, tuple([ops.stack(parts, 0) for parts in zip(*finals)])

    def _cell(self, place: int) -> tuple:
        weights: list[Any] = [self._weight(name) for name in self._all_weights[place]]
        if not self.bias:
            weights[2:2] = [None, None]
        return tuple(weights)

    def _weight(self, name: str) -> Any:
        try:
            return self._parameters[name]
        except KeyError:  # parametrized
            return getattr(self, name)


def _bad_dropout() -> None:
    raise ValueError(
        "dropout should be a number in range [0, 1] representing the probability of an element "
        "being zeroed"
    )


class RNN(RNNBase):
    """The Elman recurrence ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``, or with relu.

    Shapes: input (T, N, in), state (layers * directions, N, hidden) -> output
    (T, N, directions * hidden) and the last state; N first in input and output with
    ``batch_first``. Takes and gives a PackedSequence too.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__("RNN_" + nonlinearity.upper(), *args, **kwargs)
        self.nonlinearity = nonlinearity


class GRU(RNNBase):
    """The gated recurrent unit. Source: Cho et al. 2014. Shapes as for RNN."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class LSTM(RNNBase):
    """Long short-term memory. Source: Hochreiter and Schmidhuber 1997.

    Shapes as for RNN; the state is (h, c). With ``proj_size`` h is projected to that size.

    >>> import facula as torch
    >>> output, (h, c) = torch.nn.LSTM(4, 6)(torch.randn(5, 2, 4))
    >>> output.shape, c.shape
    (torch.Size([5, 2, 6]), torch.Size([1, 2, 6]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Any) -> tuple[int, int, int]:
        """(layers times directions, batch, hidden size)."""
        return self._state_size(input, batch_sizes, self.hidden_size)

    def _state_widths(self) -> list[int]:
        return [self.proj_size or self.hidden_size, self.hidden_size]

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Any) -> None:
        self.check_input(input, batch_sizes)
        self.check_hidden_size(
            hidden[0],
            self.get_expected_hidden_size(input, batch_sizes),
            "Expected hidden[0] size {}, got {}",
        )
        self.check_hidden_size(
            hidden[1],
            self.get_expected_cell_size(input, batch_sizes),
            "Expected hidden[1] size {}, got {}",
        )

    def _check_state_axes(self, hx: Any, batched: bool) -> Any:
        axes = 3 if batched else 2
        h, c = hx[0], hx[1]
        if h.dim() != axes or c.dim() != axes:
            kind = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {kind} input, hx and cx should also be {axes}-D but got "
                f"({h.dim()}-D, {c.dim()}-D) tensors"
            )
        return (h, c) if batched else (h.unsqueeze(1), c.unsqueeze(1))


_WITH_KNOWN_CHECKS = (RNN, GRU, LSTM)  # of a state that they make themselves: it needs none

# pickles name classes by the module where PyTorch has them
for _class in (
    RNNCellBase,
    RNNCell,
    LSTMCell,
    GRUCell,
):
    _class.__module__ = __name__
