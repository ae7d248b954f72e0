"""Random numbers whose distribution is trained, drawn without gradients: the loss behind the draw does not reach it."""

from torchclinic.observe.collector import Collector
from torchclinic.observe.collectors.training.drawing import Draw, Graph, draw_of, may_cut, where
from torchclinic.observe.events import BackwardBegins
from torchclinic.observe.records import CutDraw
from torchclinic.observe.state.dataflow import Node


class CutDraws(Collector):
    """Looks at the graph of a backward pass for a draw like `Normal(mu, sigma).sample()`, of which

    - the root depends by operations with gradients, through weights that `mu` and `sigma` do not come from (a decoder), and
    - `mu` or `sigma` gets a gradient from the same root, but by nothing that goes through further weights or compares it
      with data (a divergence from a prior).

    So no policy gradient, where the draw is compared with its own distribution again; no critic, whose root the policy is
    no part of; no model that is fed its own samples, because data train it.
    """

    def prepare(self) -> None:
        self.found: dict[str, CutDraw] = {}  # by line

    def backward_begins(self, event: BackwardBegins) -> None:
        root = event.root
        if root is None or not root.requires_grad or not may_cut(root):
            return
        graph = Graph(root)
        draws: dict[str, tuple[list[Draw], list[Node]]] = {}  # by line: a loop draws again and again
        for user, value in graph.data():
            draw = draw_of(value, graph.empty)
            if draw is not None:
                known = draws.setdefault(draw.node.line, ([], []))
                known[0].append(draw)
                known[1].append(user)
        for line, (drawn, users) in draws.items():
            parameters = [node for draw in drawn for node in draw.parameters]
            if graph.cut(parameters, users):
                names = tuple(sorted({name for node in parameters if (name := where(node))}))
                record = self.found.setdefault(line, CutDraw(line, self.state.clock.step, names, drawn[0].node.shape))
                record.backwards += 1
