"""A network's operations as a graph for TensorBoard, found by running the network once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from facula.autograd.modes import enable_grad
from facula.tensors import Tensor


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for part in value for t in _tensors(part)] if isinstance(value, (list, tuple)) else []


def _operation(node: Any) -> str:
    """``aten::max_pool2d`` of the node MaxPool2DBackward0."""
    name = re.sub(r"Backward\d*$", "", node.name())
    return "aten::" + re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


class _Graph:
    """The nodes of a graph under way: names are the paths of the modules they belong to."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.names: dict[Any, str] = {}
        self.counts: dict[str, int] = {}
        self.nodes: list[Any] = []

    def fresh(self, path: str) -> str:
        number = self.counts[path] = self.counts.get(path, -1) + 1
        return f"{path}_{number}" if number else path

    def claim(self, scope: str, outputs: Iterable[Tensor], inputs: Iterable[Tensor]) -> None:
        """What computes ``outputs`` from ``inputs`` belongs to a module, if to none inside it."""
        stop = {x.grad_fn for x in inputs}
        todo = [x.grad_fn for x in outputs]
        while todo:
            node = todo.pop()
            if node is None or node in stop or node in self.names or hasattr(node, "variable"):
                continue
            self.names[node] = self.fresh(f"{scope}/{_operation(node).partition('::')[2]}")
            todo += [below for below, _ in node.next_functions]

    def add(self, name: str, operation: str, inputs: Iterable[str] = ()) -> None:
        self.nodes.append({"name": name, "op": operation, "input": list(inputs)})


def _scopes(model: Any, root: str) -> dict[Any, str]:
    """The path of each module: class and name of every step, as in Net/Sequential[body]/ReLU[1]."""
    found = {model: root}
    for name, module in model.named_modules():
        path, here = root, model
        for part in name.split(".") if name else []:
            here = getattr(here, part)
            path += f"/{type(here).__name__}[{part}]"
        found.setdefault(module, path)
    return found


def _run(model: Any, given: tuple, graph: _Graph, scopes: dict[Any, str]) -> list[Tensor]:
    """The network's results, in evaluation mode; its operations are claimed on the way."""
    modes = {module: module.training for module in model.modules()}

    def claim(module: Any, inputs: Any, outputs: Any) -> None:
        graph.claim(scopes[module], _tensors(outputs), _tensors(inputs))

    handles = [module.register_forward_hook(claim) for module in modes]
    try:
        model.eval()
        with enable_grad():
            return _tensors(model(*given))
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes.items():
            module.training = mode


def _separate(value: Any) -> Any:
    """A copy without history; floats can be followed through the network."""
    if isinstance(value, Tensor):
        return value.detach().requires_grad_(value.is_floating_point() or value.is_complex())
    if isinstance(value, (list, tuple)):
        return type(value)([_separate(part) for part in value])
    return {k: _separate(v) for k, v in value.items()} if isinstance(value, dict) else value


def graph_event(model: Any, input_to_model: Any, verbose: bool = False) -> Any:
    """The event that shows a network's operations, parameters, inputs and outputs.

    Operations on whole numbers, and before an embedding, have no gradient and are not shown.
    """
    from tensorboardX.proto import event_pb2, graph_pb2
    from tensorboardX.proto.node_def_pb2 import NodeDef

    root = type(model).__name__
    graph, scopes = _Graph(root), _scopes(model, type(model).__name__)
    given = input_to_model if isinstance(input_to_model, (tuple, list)) else (input_to_model,)
    given = tuple(_separate(given))
    outputs = _run(model, given, graph, scopes)
    leaves = {}
    for i, x in enumerate(_tensors(list(given))):
        leaves[id(x)] = f"input/input.{i}"
        graph.add(leaves[id(x)], "IO Node")
    for name, parameter in model.named_parameters():
        owner = model.get_submodule(name.rpartition(".")[0])
        leaves[id(parameter)] = f"{scopes[owner]}/{name.rpartition('.')[2]}"
        graph.add(leaves[id(parameter)], "Parameter")

    def name_of(node: Any) -> str | None:
        if hasattr(node, "variable"):
            return leaves.get(id(node.variable))
        return graph.names.get(node)

    for node, name in graph.names.items():
        below = [name_of(n) for n, _ in node.next_functions if n is not None]
        graph.add(name, _operation(node), [n for n in below if n is not None])
    for i, x in enumerate(outputs):
        source = name_of(x.grad_fn) if x.grad_fn is not None else leaves.get(id(x))
        graph.add(f"output/output.{i}", "IO Node", [source] if source else [])
    if verbose:
        print("\n".join(f"{name} = {_operation(node)}" for node, name in graph.names.items()))
    definition = graph_pb2.GraphDef(node=[NodeDef(**n) for n in graph.nodes])
    definition.versions.producer = 22
    return event_pb2.Event(graph_def=definition.SerializeToString())
