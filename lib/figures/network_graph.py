"""A built network as a graph of operations, so that a figure or a count cannot drift from the code.

`trace` runs the network once on shapes alone and writes down what it does; any network will do, be
its forward a list of layers or full of loops and gradients:

    graph = trace(build("2dgan"), (1, 128, 128))     # a node for every operation
    graph = join_layers(graph)                       # convolution, batch norm, ReLU: one node
    graph = collapse(graph, parts(graph))            # an attention module: one node

`skip_roles` then tells which of its edges are skip connections, from their place in the graph.
"""

import copy
import inspect
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Shape = tuple[int, ...]  # without the batch

# an operation that only looks at the same values in another arrangement is no node of its own
_VIEWS = {
    "__get__", "__getitem__", "chunk", "clone", "contiguous", "detach", "expand", "expand_as",
    "flatten", "float", "permute", "requires_grad_", "reshape", "select", "split", "squeeze", "to",
    "transpose", "unflatten", "unsqueeze", "view",
}  # fmt: skip
_LABELS = {
    "conv2d": "conv", "conv_transpose2d": "convT", "linear": "linear", "batch_norm": "BN",
    "instance_norm": "IN", "layer_norm": "LN", "leaky_relu": "LeakyReLU", "relu": "ReLU",
    "group_norm": "IN",  # the only one here: see lib.networks.instance_norm
    "cat": "concat", "add": "+", "sub": "−", "rsub": "−", "mul": "×", "div": "÷", "grad": "∇",
    "norm": "‖·‖", "abs": "|·|", "mean": "average", "amax": "maximum", "square": "(·)²",
    "interpolate": "upsample", "avg_pool2d": "average pool",
    "adaptive_avg_pool2d": "global average", "adaptive_max_pool2d": "global maximum",
    "max_pool2d": "max pool", "scaled_dot_product_attention": "dot-product attention",
}  # fmt: skip
_WEIGHTED = {"conv2d", "conv_transpose2d", "linear"}
_BEFORE = {"pad", "interpolate", "leaky_relu", "relu"}  # may lead to the weights of a layer
_SLICING = {"narrow", "flip", "cat"}  # reflection padding put together by hand
_AFTER = {
    "batch_norm", "instance_norm", "group_norm", "layer_norm", "leaky_relu", "relu", "tanh",
    "sigmoid", "dropout",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One call of a torch function; kernel and stride (rows, columns) where it has them.

    `over`: the axes that an average or maximum removes, such as "H, W".
    """

    function: str
    kernel: tuple[int, int] | None = None
    stride: tuple[int, int] = (1, 1)
    joins: bool = False  # takes two or more tensors of the data
    over: str = ""

    @property
    def label(self) -> str:
        """As it stands in a figure: "conv 4×4 /2", "convT 4×4 ×2", "BN", "concat"."""
        text = _LABELS.get(self.function, self.function.replace("_", " "))
        if self.kernel:
            text += " {}×{}".format(*self.kernel)
        if self.stride != (1, 1):
            text += (" ×" if self.function == "conv_transpose2d" else " /") + str(self.stride[0])
        return f"{text} over {self.over}" if self.over else text


@dataclass(frozen=True)
class Node:
    """`operations` in order; `within`: the modules whose forward was running, outermost first.

    `title` is the class of a module collapsed into one node, or the name of an input or output.
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
    def attends(self) -> bool:
        """Whether it weighs features: a product with a sigmoid or softmax, or dot products."""
        functions = {step.function for step in self.operations}
        gates = functions & {"sigmoid", "softmax"}
        product = any(step.function == "mul" and step.joins for step in self.operations)
        return "scaled_dot_product_attention" in functions or bool(gates and product)


@dataclass(frozen=True)
class Edge:
    source: str
    target: str
    shape: Shape  # of the tensor that passes


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they ran.

    `classes`: path of a module -> name of its class; `arrivals`: path -> shapes of what it was
    given when it was called first.
    """

    title: str
    nodes: dict[str, Node]
    edges: tuple[Edge, ...]
    classes: dict[str, str]
    arrivals: dict[str, tuple[Shape, ...]]

    def into(self, name: str) -> list[Edge]:
        return [edge for edge in self.edges if edge.target == name]

    def out_of(self, name: str) -> list[Edge]:
        return [edge for edge in self.edges if edge.source == name]


def trace(network: nn.Module, *shapes: Shape) -> Graph:
    """The operations of `network` on inputs of these shapes, (C, H, W) each, batch of 1.

    Runs a copy on torch's meta device in evaluation mode: no arithmetic, and the network stays as
    it is. Views and reshapes are left out: an edge has the shape of the tensor that arrives.
    """
    replica = copy.deepcopy(network).to("meta").eval()
    names = list(inspect.signature(network.forward).parameters)
    inputs = [torch.zeros(1, *shape, device="meta") for shape in shapes]
    tracer = _Tracer(replica)
    for name, tensor in zip(names, inputs):
        tracer.enter(tensor, name)
    with torch.enable_grad(), tracer:
        out = replica(*inputs)
    for k, tensor in enumerate(_tensors(out)):
        tracer.leave(tensor, f"output{k + 1 if k else ''}")
    classes = {path: type(module).__name__ for path, module in network.named_modules()}
    edges = tuple(dict.fromkeys(tracer.edges))
    title = type(network).__name__
    return _join_padding(_only_used(Graph(title, tracer.nodes, edges, classes, tracer.arrivals)))


def trace_part(network: nn.Module, path: str, *shapes: Shape) -> Graph:
    """`trace` of one module of `network`, on the shapes it gets when the network gets `shapes`."""
    return trace(network.get_submodule(path), *trace(network, *shapes).arrivals[path])


class _Tracer(TorchFunctionMode):
    """Writes down each torch function that touches the data, and whose forward it ran in."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.origin: dict[int, str] = {}  # id of a tensor -> the node that made it
        self.alive: list[Tensor] = []  # ids are not given twice while the tensors are kept
        self.stack: list[str] = []
        self.plain: set[str] = set()  # torch's own layers: the module around them is what counts
        self.calls: dict[str, int] = {}
        self.arrivals: dict[str, tuple[Shape, ...]] = {}
        for path, module in network.named_modules():
            if type(module).__module__.startswith("torch.nn") and not list(module.children()):
                self.plain.add(path)
            module.register_forward_pre_hook(lambda _, given, path=path: self._push(path, given))
            module.register_forward_hook(self._pop)

    def _pop(self, module: nn.Module, given, out) -> None:
        self.stack.pop()

    def _push(self, path: str, given: tuple) -> None:
        shapes = tuple(tuple(tensor.shape[1:]) for tensor in _tensors(given))
        self.arrivals.setdefault(path, shapes)
        self.calls[path] = self.calls.get(path, 0) + 1
        again = f"#{self.calls[path]}" if self.calls[path] > 1 else ""  # shared weights
        self.stack.append(path + again)

    def _plain(self, path: str) -> bool:
        return path.split("#")[0] in self.plain

    def enter(self, tensor: Tensor, name: str) -> None:
        self._add(Node(name, (), tuple(tensor.shape[1:]), title=name), [tensor])

    def leave(self, tensor: Tensor, name: str) -> None:
        self._add(Node(name, (), tuple(tensor.shape[1:]), title=name), [], [tensor])

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        made = _tensors(out)
        read = [tensor for tensor in _tensors([args, kwargs]) if id(tensor) in self.origin]
        if not made or not read:
            return out
        function = getattr(func, "__name__", str(func))
        if function in _VIEWS:
            for tensor in made:
                self._made_by(self.origin[id(read[0])], tensor)
        else:
            within = tuple(path for path in self.stack if not self._plain(path))
            where = self.stack[-1] if self.stack else ""
            name = where if self._plain(where) else f"{where}:{function}".lstrip(":")
            step = _operation(function.rstrip("_"), args, kwargs, len(set(map(id, read))) > 1)
            shape = tuple(made[0].shape[1:])
            self._add(Node(self._unique(name), (step,), shape, within), made, read)
        return out

    def _unique(self, name: str) -> str:
        taken = sum(known.split("~")[0] == name for known in self.nodes)
        return f"{name}~{taken + 1}" if taken else name

    def _add(self, node: Node, made: list[Tensor], read: Iterable[Tensor] = ()) -> None:
        self.nodes[node.name] = node
        for tensor in read:
            source = self.origin[id(tensor)]
            self.edges.append(Edge(source, node.name, tuple(tensor.shape[1:])))
        for tensor in made:  # what works in place returns its input, which now counts as made here
            self._made_by(node.name, tensor)

    def _made_by(self, name: str, tensor: Tensor) -> None:
        self.origin[id(tensor)] = name
        self.alive.append(tensor)


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
        kernel = tuple(given(1, "weight", None).shape[2:])
        return Operation(function, kernel, _pair(given(3, "stride", 1)), joins)
    if function in ("avg_pool2d", "max_pool2d"):
        kernel = _pair(given(1, "kernel_size", 1))
        return Operation(function, kernel, _pair(given(2, "stride", None) or kernel), joins)
    if function in ("mean", "amax") and args[0].ndim == 4:
        axes = given(1, "dim", ())
        axes = (axes,) if isinstance(axes, int) else axes
        return Operation(function, joins=joins, over=", ".join("BCHW"[axis] for axis in axes))
    return Operation(function, joins=joins)


def _pair(value) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (tuple(value) * 2)[:2]


def _only_used(graph: Graph) -> Graph:
    """Without what leads to no output, a statistic that is thrown away for instance."""
    wanted = {name for name, node in graph.nodes.items() if node.title}
    for edge in reversed(graph.edges):  # edges stand in the order of their targets
        if edge.target in wanted:
            wanted.add(edge.source)
    nodes = {name: node for name, node in graph.nodes.items() if name in wanted}
    return replace(graph, nodes=nodes, edges=tuple(e for e in graph.edges if e.target in wanted))


def _join_padding(graph: Graph) -> Graph:
    """A module that only puts mirrored slices around its input as one operation."""
    used: dict[str, set[str]] = {}
    for node in graph.nodes.values():
        for step in node.operations if node.within else ():
            used.setdefault(node.within[-1], set()).add(step.function)
    padding = {path for path, functions in used.items() if "flip" in functions <= _SLICING}
    head = {
        name: node.within[-1] if node.within and node.within[-1] in padding else name
        for name, node in graph.nodes.items()
    }
    merged = _merge(graph, head, {})
    nodes = {
        name: replace(node, operations=(Operation("pad"),), within=node.within[:-1])
        if name in padding else node
        for name, node in merged.nodes.items()
    }  # fmt: skip
    return replace(merged, nodes=nodes)


def join_layers(graph: Graph) -> Graph:
    """A convolution with the padding before it and the normalisation and activation after it: one.

    Joined is what follows each other without a branch in the same module, one in a list of layers
    (Sequential) and one beside the list included.
    """
    head: dict[str, str] = {}  # node -> first node of its layer
    members: dict[str, list[Node]] = {}
    for name, node in graph.nodes.items():
        head[name], members[name] = name, [node]
        into = graph.into(name)
        if len(into) != 1 or not node.operations or len(graph.out_of(into[0].source)) != 1:
            continue
        first = head[into[0].source]
        before = members[first]
        if not before[0].operations or not _same_module(graph, before[-1].within, node.within):
            continue
        functions = [step.function for known in before for step in known.operations]
        weighted = bool(_WEIGHTED & set(functions))
        function = node.operations[0].function
        if (weighted and function in _AFTER) or (
            set(functions) <= _BEFORE and function in _BEFORE | _WEIGHTED
        ):
            head[name] = first
            members[first].append(node)
            del members[name]
    return _merge(graph, head, {})


def _same_module(graph: Graph, a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    inner, outer = (a, b) if len(a) > len(b) else (b, a)
    deeper = inner[len(outer) :]
    lists_only = all(graph.classes[path.split("#")[0]] == "Sequential" for path in deeper)
    return inner[: len(outer)] == outer and lists_only


def collapse(graph: Graph, modules: Collection[str]) -> Graph:
    """Each of these modules, given by their paths, as one node with the name of its class.

    One that has others of them inside says so: "residual block with CBAM".
    """
    head, found = {}, {}
    for name, node in graph.nodes.items():
        around = [path for path in node.within if path.split("#")[0] in modules]
        head[name] = around[0] if around else name
        if around:
            classes = [readable(graph.classes[path.split("#")[0]]) for path in around]
            found.setdefault(around[0], {}).update(dict.fromkeys(classes))
    titles = {
        path: " with ".join(filter(None, (outer, " and ".join(inner))))
        for path, (outer, *inner) in found.items()
    }
    return _merge(graph, head, titles)


def parts(graph: Graph) -> list[str]:
    """The modules inside a network that join tensors themselves: attention, residual blocks.

    A module nested in another of its own class, as in a U-net written recursively, is none.
    """
    joining = dict.fromkeys(
        node.within[-1].split("#")[0]
        for node in graph.nodes.values()
        if node.within and any(step.joins for step in node.operations)
    )
    nested = {
        graph.classes[path]
        for path in graph.classes
        for inner in graph.classes
        if inner.startswith(f"{path}." if path else "") and inner != path
        and graph.classes[inner] == graph.classes[path] != "Sequential"
    }  # fmt: skip
    return [path for path in joining if path and graph.classes[path] not in nested]


def overview(network: nn.Module, *shapes: Shape) -> Graph:
    """A network with one node a layer and one a part: what Fig. 2 shows."""
    graph = join_layers(trace(network, *shapes))
    return collapse(graph, parts(graph))


def shared(graph: Graph) -> set[str]:
    """The nodes whose weights another node has too, as they are called more than once."""
    paths = {
        name: (name, *node.within)
        for name, node in graph.nodes.items()
        if _WEIGHTED & {step.function for step in node.operations}
    }
    again = {path.split("#")[0] for known in paths.values() for path in known if "#" in path}
    return {
        name for name, known in paths.items() if again & {path.split("#")[0] for path in known}
    }


def readable(class_name: str) -> str:
    """"CrossLevelAttention" -> "cross-level attention"; abbreviations stay as they are.

    So do names that end in one, such as "PatchGAN".
    """
    if re.search("[A-Z]{2}$", class_name):
        return class_name
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", class_name) or [class_name]
    words = [word if word.isupper() else word.lower() for word in words]
    return " ".join(("-".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]


def _merge(graph: Graph, head: dict[str, str], titles: dict[str, str]) -> Graph:
    """Nodes with the same head become one."""
    nodes: dict[str, Node] = {}
    for name, node in graph.nodes.items():
        first = nodes.get(head[name], replace(node, name=head[name], operations=()))
        nodes[head[name]] = replace(
            first, operations=first.operations + node.operations, shape=node.shape,
            title=titles.get(head[name], node.title),
        )  # fmt: skip
    edges = dict.fromkeys(
        Edge(head[edge.source], head[edge.target], edge.shape)
        for edge in graph.edges
        if head[edge.source] != head[edge.target]
    )
    return replace(graph, nodes=nodes, edges=tuple(edges))


def main_path(graph: Graph) -> list[str]:
    """The longest way from input to output, past attention where there is another way."""
    best: dict[str, tuple[int, str | None]] = {}
    for name, node in graph.nodes.items():  # every node stands after those it reads
        before = [edge.source for edge in graph.into(name)]
        last = max(before, key=lambda source: best[source][0], default=None)
        best[name] = (
            (best[last][0] if last is not None else 0) + (-1 if node.attends else 1), last
        )  # fmt: skip
    path = [next(name for name in graph.nodes if not graph.out_of(name))]
    while (last := best[path[-1]][1]) is not None:
        path.append(last)
    return path[::-1]


def stages(graph: Graph) -> dict[str, int]:
    """Which U each node of the main path belongs to: 1, and one more when down follows up."""
    stage, rising, found = 1, False, {}
    path = main_path(graph)
    for before, name in zip([path[0], *path], path):
        sizes = graph.nodes[before].shape[-1:], graph.nodes[name].shape[-1:]
        if sizes[1] > sizes[0]:
            rising = True
        elif rising and sizes[1] < sizes[0]:
            stage, rising = stage + 1, False
        found[name] = stage
    return found


MAIN, INTERNAL, EXTERNAL, ATTENTION = (
    "data", "internal skip connection", "external skip connection", "attention",
)  # fmt: skip


def skip_roles(graph: Graph) -> dict[Edge, str]:
    """What each edge of an `overview` is: MAIN, INTERNAL, EXTERNAL or ATTENTION.

    A skip connection is internal within one U and external from one to the next.
    """
    path, stage = main_path(graph), stages(graph)
    steps = set(zip(path, path[1:]))

    def role(edge: Edge) -> str:
        ends = graph.nodes[edge.source], graph.nodes[edge.target]
        if (edge.source, edge.target) in steps:
            return MAIN
        if any(end.attends and end.name not in stage for end in ends):
            return ATTENTION
        if edge.source in stage and edge.target in stage:
            return INTERNAL if stage[edge.source] == stage[edge.target] else EXTERNAL
        return MAIN

    return {edge: role(edge) for edge in graph.edges}


def count_parts(graph: Graph) -> dict[str, int]:
    """How many skip connections of each kind and how many attention modules an `overview` has."""
    roles = list(skip_roles(graph).values())
    path = set(main_path(graph))
    attention = sum(node.attends and node.name not in path for node in graph.nodes.values())
    counts = {"internal skips": roles.count(INTERNAL), "external skips": roles.count(EXTERNAL)}
    return {"stages": max(stages(graph).values()), **counts, "attention": attention}
