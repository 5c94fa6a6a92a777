"""What expressions of PromQL name."""

import functools

import promql_parser


class Selector:
    """A metric, the labels it is chosen by and the values they have to be equal to."""

    def __init__(self, node):
        self.metric = node.name
        self.labels = [matcher.name for matcher in node.matchers.matchers]
        self.equal = {
            matcher.name: matcher.value
            for matcher in node.matchers.matchers
            if matcher.op == promql_parser.MatchOp.Equal
        }


@functools.lru_cache(maxsize=None)
def named(expr):
    """The selectors in an expression, and the labels that its sums are told apart by."""
    selectors, groups = [], []

    def visit(node):
        if isinstance(node, promql_parser.VectorSelector):
            selectors.append(Selector(node))
        if isinstance(node, promql_parser.AggregateExpr):
            groups.extend(node.modifier.labels if node.modifier else [])

    promql_parser.walk(promql_parser.parse(expr), visit)
    return selectors, groups


def family(name):
    """The metric that a series belongs to, as the pages name it: a histogram has three kinds of series."""
    for end in ("_bucket", "_count", "_sum"):
        if name.endswith(end):
            return name.removesuffix(end)
    return name
