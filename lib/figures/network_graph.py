"""A built network as a graph of operations, so that a figure or a count cannot drift from the code.

`trace` runs the network once on shapes alone and writes down what it does, be its forward a list of
layers or full of loops and gradients:

    graph = trace(build("2dgan"), (1, 128, 128))     # a node for every operation
    graph = join_layers(graph)                       # convolution, batch norm, ReLU: one node
    graph = collapse(graph, parts(graph))            # an attention module: one node

A graph is a `networkx.DiGraph` of `Node`s in the order in which they ran. It has a `title`, the
network's class, `classes` (path of a module -> its class) and `arrivals` (path -> shapes of what
the module was given first).
"""

import copy
import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise, permutations

import networkx as nx
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lib.networks.padding import ReflectionPad

Shape = tuple[int, ...]  # without the batch

# an operation that only looks at the same values in another arrangement is no node of its own
_VIEWS = {
    "__get__", "__getitem__", "chunk", "clone", "contiguous", "detach", "expand", "expand_as",
    "flatten", "float", "permute", "requires_grad_", "reshape", "select", "split", "squeeze", "to",
    "transpose", "unflatten", "unsqueeze", "view",
}  # fmt: skip
_LABELS = {
    "conv2d": "conv", "conv_transpose2d": "convT", "batch_norm": "BN", "instance_norm": "IN",
    "group_norm": "IN",  # the only one here: see lib.networks.instance_norm
    "leaky_relu": "LeakyReLU", "relu": "ReLU", "cat": "concat", "add": "+", "mul": "×", "div": "÷",
    "grad": "∇", "norm": "‖·‖", "abs": "|·|", "square": "(·)²", "mean": "average",
    "amax": "maximum", "avg_pool2d": "average pool",
    "scaled_dot_product_attention": "dot-product attention",
}  # fmt: skip
_WEIGHTED = {"conv2d", "conv_transpose2d", "linear"}
_BEFORE = {"pad", "leaky_relu", "relu"}  # may lead to the weights of a layer
_AFTER = {
    "batch_norm", "instance_norm", "group_norm", "leaky_relu", "relu", "tanh", "sigmoid", "dropout",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One call of a torch function.

    `kernel` (rows, columns) and `stride`: of a convolution; `joins`: takes two or more tensors of
    the data; `over`: the axes that an average or maximum removes, such as "H, W".
    """

    function: str
    kernel: tuple[int, int] | None = None
    stride: int = 1
    joins: bool = False
    over: str = ""

    @property
    def label(self) -> str:
        """As it stands in a figure: "conv 4×4 /2", "convT 4×4 ×2", "BN", "concat"."""
        text = _LABELS.get(self.function, self.function.replace("_", " "))
        if self.kernel:
            text += " {}×{}".format(*self.kernel)
        if self.stride != 1:
            text += (" ×" if self.function == "conv_transpose2d" else " /") + str(self.stride)
        return f"{text} over {self.over}" if self.over else text


@dataclass(frozen=True)
class Node:
    """Operations in order, and the shape of their result.

    `within`: the modules whose forward was running, outermost first. `title`: the class of a module
    collapsed into one node, or the name of an input or output, which has no operations.
    """

    name: str
    operations: tuple[Operation, ...]
    shape: Shape
    within: tuple[str, ...] = ()
    title: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The lines of its box."""
        return (self.title,) if self.title else tuple(step.label for step in self.operations)

    @property
    def functions(self) -> set[str]:
        return {step.function for step in self.operations}

    @property
    def joins(self) -> bool:
        """Whether joining tensors, by concatenation or arithmetic, is all it does."""
        return not self.title and len(self.operations) == 1 and self.operations[0].joins

    @property
    def attends(self) -> bool:
        """Whether it weighs features: a product with a sigmoid or softmax, or dot products."""
        product = any(step.function == "mul" and step.joins for step in self.operations)
        gated = product and self.functions & {"sigmoid", "softmax"}
        return "scaled_dot_product_attention" in self.functions or bool(gated)


Edge = tuple[Node, Node]


def trace(network: nn.Module, *shapes: Shape) -> nx.DiGraph:
    """The operations of `network` on inputs of these shapes, (C, H, W) each, batch of 1.

    Runs a copy on torch's meta device in evaluation mode: no arithmetic, and the network stays as
    it is. Views and reshapes are left out, and so is what leads to no output.
    """
    replica = copy.deepcopy(network).to("meta").eval()
    inputs = [torch.zeros(1, *shape, device="meta") for shape in shapes]
    tracer = _Tracer(replica)
    graph = tracer.graph
    for name, tensor in zip(inspect.signature(network.forward).parameters, inputs):
        tracer.add(Node(name, (), tuple(tensor.shape[1:]), title=name), [tensor])
    with torch.enable_grad(), tracer:
        results = _tensors(replica(*inputs))
    used: set[Node] = set()
    for k, tensor in enumerate(results):
        name = f"output{k + 1 if k else ''}"
        node = tracer.add(Node(name, (), tuple(tensor.shape[1:]), title=name), [], [tensor])
        used |= nx.ancestors(graph, node)
    graph.remove_nodes_from([node for node in graph if node.operations and node not in used])
    return graph


def trace_part(network: nn.Module, path: str, *shapes: Shape) -> nx.DiGraph:
    """`trace` of one module of `network`, on the shapes it gets when the network gets `shapes`."""
    arrivals = trace(network, *shapes).graph["arrivals"]
    return trace(network.get_submodule(path), *arrivals[path])


class _Tracer(TorchFunctionMode):
    """Writes down each torch function that touches the data, and whose forward it ran in."""

    def __init__(self, network: nn.Module):
        super().__init__()
        modules = dict(network.named_modules())
        classes = {path: type(module).__name__ for path, module in modules.items()}
        self.arrivals: dict[str, tuple[Shape, ...]] = {}
        self.graph = nx.DiGraph(title=classes[""], classes=classes, arrivals=self.arrivals)
        self.origin: dict[int, Node] = {}  # id of a tensor -> the node that made it
        self.alive: list[Tensor] = []  # ids are not given twice while the tensors are kept
        self.stack: list[str] = []
        self.calls, self.names = Counter(), Counter()
        # torch's own layers: the module around them is what counts
        self.plain = {
            path for path, module in modules.items()
            if type(module).__module__.startswith("torch.nn") and not list(module.children())
        }  # fmt: skip
        for path, module in modules.items():
            if isinstance(module, ReflectionPad):  # here it would be many slices
                module.forward = nn.ReflectionPad2d(module.padding).forward
                self.plain.add(path)
            module.register_forward_pre_hook(lambda _, given, path=path: self._push(path, given))
            module.register_forward_hook(self._pop)

    def _pop(self, *_) -> None:
        self.stack.pop()

    def _push(self, path: str, given: tuple) -> None:
        shapes = tuple(tuple(tensor.shape[1:]) for tensor in _tensors(given))
        self.arrivals.setdefault(path, shapes)
        self.calls[path] += 1
        again = f"#{self.calls[path]}" if self.calls[path] > 1 else ""  # shared weights
        self.stack.append(path + again)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        made = _tensors(out)
        read = [tensor for tensor in _tensors([args, kwargs]) if id(tensor) in self.origin]
        function = getattr(func, "__name__", str(func))
        if made and read and function in _VIEWS:
            self._made_by(self.origin[id(read[0])], made)
        elif made and read:
            within = tuple(path for path in self.stack if _path(path) not in self.plain)
            where = self.stack[-1] if self.stack else ""
            name = where if _path(where) in self.plain else f"{where}:{function}".lstrip(":")
            self.names[name] += 1
            name += f"~{self.names[name]}" if self.names[name] > 1 else ""
            step = _operation(function.rstrip("_"), args, kwargs, len(set(map(id, read))) > 1)
            self.add(Node(name, (step,), tuple(made[0].shape[1:]), within), made, read)
        return out

    def add(self, node: Node, made: list[Tensor], read: Iterable[Tensor] = ()) -> Node:
        self.graph.add_node(node)
        self.graph.add_edges_from((self.origin[id(tensor)], node) for tensor in read)
        self._made_by(node, made)  # what works in place returns its input, now made here
        return node

    def _made_by(self, node: Node, tensors: list[Tensor]) -> None:
        self.origin |= {id(tensor): node for tensor in tensors}
        self.alive += tensors


def _path(called: str) -> str:
    """The path of a module in `Node.within`, without the number of the call."""
    return called.split("#")[0]


def _tensors(value) -> list[Tensor]:
    """All tensors in nested lists, tuples and dictionaries, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return []
    return [tensor for part in value for tensor in _tensors(part)]


def _operation(function: str, args, kwargs, joins: bool) -> Operation:
    def given(position: int, name: str, default):
        return args[position] if len(args) > position else kwargs.get(name, default)

    if function in ("conv2d", "conv_transpose2d"):
        kernel, stride = tuple(given(1, "weight", None).shape[2:]), given(3, "stride", 1)
        return Operation(function, kernel, stride if isinstance(stride, int) else stride[0], joins)
    if function in ("mean", "amax") and args[0].ndim == 4:
        axes = given(1, "dim", ())
        axes = (axes,) if isinstance(axes, int) else axes
        return Operation(function, joins=joins, over=", ".join("BCHW"[axis] for axis in axes))
    return Operation(function, joins=joins)


def _merge(graph: nx.DiGraph, become: Mapping[Node, Node]) -> nx.DiGraph:
    """Nodes that become the same one are joined, and the edges between them go."""
    merged = nx.relabel_nodes(graph, become)
    merged.remove_edges_from(list(nx.selfloop_edges(merged)))
    return merged


def _one(nodes: list[Node], **changes) -> dict[Node, Node]:
    """What each of these becomes: one node with the operations of all."""
    operations = tuple(step for node in nodes for step in node.operations)
    changes |= {"operations": operations, "shape": nodes[-1].shape}
    return dict.fromkeys(nodes, replace(nodes[0], **changes))


def join_layers(graph: nx.DiGraph) -> nx.DiGraph:
    """A convolution with the padding before it and the normalisation and activation after it: one.

    Joined is what follows each other without a branch in the same module, one in a list of layers
    (Sequential) and one beside the list included.
    """
    layer: dict[Node, list[Node]] = {}  # node -> the nodes of its layer so far, itself the last
    become: dict[Node, Node] = {}
    for node in graph:
        layer[node] = [node]
        if len(graph.pred[node]) == 1 and node.operations:
            (before,) = graph.pred[node]
            functions = {step.function for known in layer[before] for step in known.operations}
            (function,) = node.functions
            follows = function in _AFTER if _WEIGHTED & functions else (
                functions <= _BEFORE and function in _BEFORE | _WEIGHTED
            )  # fmt: skip
            alone = before.operations and len(graph.succ[before]) == 1
            if follows and alone and _same_module(graph, before.within, node.within):
                layer[node] = [*layer[before], node]
                become |= _one(layer[node])
    return _merge(graph, become)


def _same_module(graph: nx.DiGraph, a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    inner, outer = (a, b) if len(a) > len(b) else (b, a)
    deeper = [graph.graph["classes"][_path(path)] for path in inner[len(outer) :]]
    return inner[: len(outer)] == outer and set(deeper) <= {"Sequential"}


def collapse(graph: nx.DiGraph, modules: Collection[str]) -> nx.DiGraph:
    """Each of these modules, given by their paths, as one node with the name of its class.

    One that has others of them inside says so: "residual block with CBAM".
    """
    inside, kinds, become = defaultdict(list), defaultdict(dict), {}
    for node in graph:
        if around := [path for path in node.within if _path(path) in modules]:
            inside[around[0]].append(node)
            classes = [graph.graph["classes"][_path(path)] for path in around]
            kinds[around[0]] |= dict.fromkeys(map(readable, classes))
    for path, (outer, *inner) in kinds.items():
        title = " with ".join(filter(None, (outer, " and ".join(inner))))
        become |= _one(inside[path], name=path, title=title)
    return _merge(graph, become)


def parts(graph: nx.DiGraph) -> list[str]:
    """The modules inside a network that join tensors themselves: attention, residual blocks.

    A module nested in another of its own class, as in a U-net written recursively, is none.
    """
    classes = graph.graph["classes"]
    joining = dict.fromkeys(
        _path(node.within[-1]) for node in graph
        if node.within and any(step.joins for step in node.operations)
    )  # fmt: skip
    nested = {
        classes[path] for path, inner in permutations(classes, 2)
        if classes[path] == classes[inner] and inner.startswith(f"{path}.")
    }  # fmt: skip
    return [path for path in joining if path and classes[path] not in nested]


def overview(network: nn.Module, *shapes: Shape) -> nx.DiGraph:
    """A network with one node a layer and one a part: what Fig. 2 shows."""
    graph = join_layers(trace(network, *shapes))
    return collapse(graph, parts(graph))


def shared(graph: nx.DiGraph) -> set[Node]:
    """The nodes whose weights another node has too, as they are called more than once."""
    paths = {node: (node.name, *node.within) for node in graph if _WEIGHTED & node.functions}
    again = {_path(path) for known in paths.values() for path in known if "#" in path}
    return {node for node, known in paths.items() if again & set(map(_path, known))}


def readable(class_name: str) -> str:
    """"CrossLevelAttention" -> "cross-level attention"; "CBAM" and "PatchGAN" stay as they are."""
    if class_name[-2:].isupper():
        return class_name
    *words, last = re.findall("[A-Z][^A-Z]*", class_name) or [class_name]
    return f"{'-'.join(words)} {last}".strip().lower()


def ends(graph: nx.DiGraph) -> tuple[Node, Node]:
    """A network's first input and its output."""
    last = (node for node in graph if graph.pred[node] and not graph.succ[node])
    return next(iter(graph)), next(last)


def main_path(graph: nx.DiGraph) -> list[Node]:
    """The longest way from input to output, past attention where there is another way."""
    steps = nx.DiGraph()
    # less than nothing for attention, yet so little that no number of modules makes a way short
    steps.add_weighted_edges_from((a, b, -1e-3 if b.attends else 1.0) for a, b in graph.edges)
    return nx.dag_longest_path(steps)


def stages(graph: nx.DiGraph) -> dict[Node, int]:
    """Which U each node of the main path belongs to: 1, and one more when down follows up."""
    path = main_path(graph)
    stage, rising, found = 1, False, {path[0]: 1}
    for before, node in pairwise(path):
        if node.shape[-1:] > before.shape[-1:]:
            rising = True
        elif rising and node.shape[-1:] < before.shape[-1:]:
            stage, rising = stage + 1, False
        found[node] = stage
    return found


MAIN, INTERNAL, EXTERNAL, ATTENTION = (
    "data", "internal skip connection", "external skip connection", "attention",
)  # fmt: skip


def skip_roles(graph: nx.DiGraph) -> dict[Edge, str]:
    """What each edge of an `overview` is: MAIN, INTERNAL, EXTERNAL or ATTENTION.

    A skip connection is internal within one U and external from one to the next.
    """
    stage = stages(graph)
    steps = set(pairwise(stage))

    def role(a: Node, b: Node) -> str:
        if (a, b) in steps:
            return MAIN
        if any(end.attends and end not in stage for end in (a, b)):
            return ATTENTION
        if a in stage and b in stage:
            return INTERNAL if stage[a] == stage[b] else EXTERNAL
        return MAIN

    return {edge: role(*edge) for edge in graph.edges}


def count_parts(graph: nx.DiGraph) -> dict[str, int]:
    """How many skip connections of each kind and how many attention modules an `overview` has."""
    roles, stage = list(skip_roles(graph).values()), stages(graph)
    counts = {"internal skips": roles.count(INTERNAL), "external skips": roles.count(EXTERNAL)}
    attention = sum(node.attends and node not in stage for node in graph)
    return {"stages": max(stage.values()), **counts, "attention": attention}
