"""A built network as a graph of layers, so that a figure or a count cannot drift from the code.
`trace` exports the network with `torch.export`, on shapes alone. A graph is a `networkx.DiGraph` of
`Node`s in the order in which they run, from the first input to the output."""

import copy
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from unittest.mock import patch

import networkx as nx
import torch
from torch import fx, library, nn

Shape = tuple[int, ...]  # without the batch

# these only look at the same values in another arrangement, and are no nodes of their own
_VIEWS = {"chunk", "detach", "flatten", "getitem", "reshape", "transpose", "unflatten", "view"}
_LABELS = {
    "conv2d": "conv", "conv_transpose2d": "convT", "batch_norm": "BN", "leaky_relu": "LeakyReLU",
    "group_norm": "IN",  # see lib.networks.instance_norm
    "relu": "ReLU", "cat": "concat", "add": "+", "mul": "×", "div": "÷", "gradient": "∇",
    "linalg_vector_norm": "‖·‖", "abs": "|·|", "mean": "average", "amax": "maximum",
}
JOINS = {"concat", "+", "×", "÷", "∇"}
_BEFORE = {"pad", "LeakyReLU", "ReLU"}  # may lead to the convolution of a layer
_AFTER = {"BN", "IN", "LeakyReLU", "ReLU", "tanh", "sigmoid"}
PARTS = {  # modules that are one node of a network
    "ExternalSkip": "external skip", "CrossLevelAttention": "cross-level attention",
    "PixelAttention": "pixel attention", "MultiHeadAttention": "multi-head attention",
    "ResidualBlock": "residual block", "CBAM": "CBAM",
}


@dataclass(eq=False)
class Node:
    """A layer, a module that is drawn as one node, or an input or output (no operations)."""

    name: str
    title: str = ""  # where it is no layer
    operations: list[str] = field(default_factory=list)  # in order: "conv 4×4 /2", "BN"
    shape: Shape = ()  # of the result
    # path and class of the modules whose forward was running, outermost first, without torch's own
    within: list[tuple[str, str]] = field(default_factory=list)
    shared: bool = False  # another node has the same weights

    @property
    def text(self) -> str:
        """The title, or what it does: "conv 4×4 /2, BN"."""
        return self.title or ", ".join(self.operations)

    @property
    def convolves(self) -> bool:
        return not self.title and "conv" in self.text


def shape_text(shape: Shape) -> str:
    """(64, 32, 32) -> "64×32×32"."""
    return "×".join(map(str, shape)) or "1"


# stands for `torch.autograd.grad`, which in a graph would be every step of backpropagation
_gradient = library.custom_op(
    "figures::gradient", lambda result, of: torch.empty_like(of), mutates_args=(),
    schema="(Tensor result, Tensor of) -> Tensor",
)
_gradient.register_fake(lambda result, of: torch.empty_like(of))


def trace(network: nn.Module, *shapes: Shape, parts: Mapping[str, str] = PARTS) -> nx.DiGraph:
    """The layers of `network` on inputs of these shapes, (C, H, W) each, batch of 1.

    A convolution with the padding before it and the normalisation and activation after it is one
    node where nothing branches off between them, and so is each module inside `network` of the
    classes in `parts`, class -> title. Exports a copy in evaluation mode: no arithmetic, and the
    network stays as it is. Views and reshapes are left out, and so is what leads to no output.
    """
    images = tuple(torch.zeros(1, *shape) for shape in shapes)
    with patch("torch.autograd.grad", lambda result, of, **_: (_gradient(result, of),)):
        program = torch.export.export(copy.deepcopy(network).eval(), images)
    program.graph.eliminate_dead_code()
    graph = nx.DiGraph()
    made: dict[fx.Node, Node] = {}
    modules: dict[str, Node] = {}  # path -> the node of a module in `parts`
    for step in program.graph.nodes:
        sources = [source for source in step.all_input_nodes if source in made]
        read = [made[source] for source in sources]
        if step.op == "call_function" and _function(step) in _VIEWS:
            made[step] = read[0]
            continue
        if step.op == "call_function":
            label, stack = _label(step), step.meta["nn_module_stack"].values()
            within = [(path, kind.rpartition(".")[2]) for path, kind in stack
                      if not kind.startswith("torch.")]
            part = next((path for path, kind in within if path and kind in parts), "")
            if part:  # one that has others in it says so: "residual block with CBAM"
                kinds = [type(inner).__name__ for inner in network.get_submodule(part).modules()]
                titles = dict.fromkeys(parts[kind] for kind in kinds if kind in parts)
                node = modules.setdefault(part, Node(part, " with ".join(titles)))
            elif len(sources) == 1 and len(sources[0].users) == 1 and _follows(read[0], label):
                node = read[0]
            else:
                node = Node(step.name)
            node.operations.append(label)
            node.within = within
            node.shared |= not part and "conv" in label and len(step.args[1].users) > 1
        elif step.op == "output" or step.name in program.graph_signature.user_inputs:
            node = Node(step.name, title=step.name)
        else:
            continue  # weights
        node.shape = read[0].shape if step.op == "output" else tuple(step.meta["val"].shape[1:])
        made[step] = node
        graph.add_node(node)
        graph.add_edges_from((source, node) for source in read if source is not node)
    return graph


def _function(step: fx.Node) -> str:
    """The operation's name: that of an in-place one is the same."""
    return step.target.__name__.split(".")[0].rstrip("_")


def _label(step: fx.Node) -> str:
    function = _function(step)
    label = _LABELS.get(function, function.replace("_", " "))
    if function in ("conv2d", "conv_transpose2d"):
        label += " {}×{}".format(*step.args[1].meta["val"].shape[2:])
        stride = step.args[3][0] if len(step.args) > 3 else 1
        if stride > 1:
            label += f" ×{stride}" if function == "conv_transpose2d" else f" /{stride}"
    if function in ("mean", "amax") and len(step.args) > 1:
        label += " over " + ", ".join("BCHW"[axis] for axis in step.args[1])
    return label


def _follows(node: Node, label: str) -> bool:
    """Whether an operation belongs to the layer that `node` is so far."""
    if node.convolves:
        return label in _AFTER
    return "conv" in label and bool(node.operations) and set(node.operations) <= _BEFORE


def modules_of(graph: nx.DiGraph, kind: str) -> list[list[Node]]:
    """The nodes of each module of this class."""
    found = defaultdict(list)
    for node in graph:
        for path, of in node.within:
            if of == kind:
                found[path].append(node)
    return list(found.values())


def stages(graph: nx.DiGraph) -> dict[Node, int]:
    """The main path, the longest that passes attention by, and which U each of its nodes is of:
    the first is 1, and another begins where the size falls after it has risen."""
    path = nx.dag_longest_path(graph.subgraph(n for n in graph if "attention" not in n.title))
    stage, rising, found = 1, False, {path[0]: 1}
    for before, node in pairwise(path):
        if node.shape[-1:] > before.shape[-1:]:
            rising = True
        elif rising and node.shape[-1:] < before.shape[-1:]:
            stage, rising = stage + 1, False
        found[node] = stage
    return found


MAIN, INTERNAL = "data", "internal skip connection"
EXTERNAL, ATTENTION = "external skip connection", "attention"


def skip_roles(graph: nx.DiGraph) -> dict[tuple[Node, Node], str]:
    """What each edge is: MAIN, INTERNAL, EXTERNAL or ATTENTION. A skip connection is internal
    within one U and external from one to the next."""
    stage, roles = stages(graph), dict.fromkeys(graph.edges, ATTENTION)
    for a, b in graph.edges:
        if a in stage and b in stage:
            roles[a, b] = INTERNAL if stage[a] == stage[b] else EXTERNAL
    return roles | dict.fromkeys(pairwise(stage), MAIN)
