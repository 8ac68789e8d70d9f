"""The kinds of faults: what each can make of a node of the syntax tree, as texts to put in its place."""

import ast
from collections.abc import Iterator
from copy import deepcopy

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
# calls that mean the same whatever the order of their arguments
COMMUTATIVE = {
    "min",
    "max",
    "minimum",
    "maximum",
    "equal",
    "array_equal",
    "allclose",
    "hypot",
    "logaddexp",
    "lcm",
    "add",
}
Found = Iterator[tuple[str, ast.AST, str]]  # kind, the node to replace, the text in its place


def faults(node: ast.AST) -> Found:
    """Everything that can be made of one expression."""
    for rule in (_comparison, _operator, _constant, _condition, _arguments, _off_by_one, _and_or):
        yield from rule(node)


def _comparison(node: ast.AST) -> Found:
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                yield "comparison", node, _with(node, ops=_exchanged(node.ops, index, other()))


def _operator(node: ast.AST) -> Found:
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        parts = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
        if not any(is_text(part) for part in parts):
            yield "operator", node, _with(node, op=OPERATORS[type(node.op)]())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "operator", node, _in_brackets(node.operand)


def _constant(node: ast.AST) -> Found:
    """Numbers and truth values; those in an index are of another kind."""
    if isinstance(node, ast.Constant):
        for other in other_values(node.value):
            yield "constant", node, repr(other)


def other_values(value) -> tuple:
    """What a constant becomes."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value + 1, value - 1) if value else (1,)
    if isinstance(value, float):
        return (value * 2, value / 2) if value else (1.0,)
    return ()


def _condition(node: ast.AST) -> Found:
    tests = [node.test] if isinstance(node, ast.If | ast.While | ast.IfExp) else []
    if isinstance(node, ast.comprehension):
        tests = node.ifs
    for test in tests:
        if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and len(COMPARISONS[type(test.ops[0])]) == 1):
            yield "condition", test, f"(not {_in_brackets(test)})"  # of the others, the comparison says it already
        if not isinstance(node, ast.While):
            yield "condition", test, "True"


def _arguments(node: ast.AST) -> Found:
    """Two neighbours among the arguments of a call exchanged."""
    if isinstance(node, ast.Call) and not any(isinstance(argument, ast.Starred) for argument in node.args):
        if getattr(node.func, "attr", getattr(node.func, "id", "")) in COMMUTATIVE:
            return
        for index in range(len(node.args) - 1):
            first, second = node.args[index : index + 2]
            if ast.dump(first) != ast.dump(second):
                swapped = [*node.args[:index], second, first, *node.args[index + 2 :]]
                yield "arguments", node, _with(node, args=swapped)


def _off_by_one(node: ast.AST) -> Found:
    """A bound of a slice, a constant index, or the end of a range, one further or one less."""
    if isinstance(node, ast.Slice):
        for bound in (node.lower, node.upper):
            if bound is not None:
                yield from _one_off(bound)
        if node.lower is None and node.step is None:
            yield "off by one", node, _with(node, lower=ast.Constant(1))
        if node.upper is None and node.step is None:
            yield "off by one", node, _with(node, upper=ast.Constant(-1))
    if isinstance(node, ast.Subscript):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for part in parts:
            if whole(part) is not None:
                yield from _one_off(part)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range" and node.args:
        yield from _one_off(node.args[min(1, len(node.args) - 1)])


def _one_off(node: ast.AST) -> Found:
    value = whole(node)
    for step in (1, -1):
        if value is not None:
            yield "off by one", node, repr(value + step)
        else:
            yield "off by one", node, f"({ast.unparse(node)} {'+' if step > 0 else '-'} 1)"


def whole(node: ast.AST) -> int | None:
    """The whole number that an index is, minus included."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return -node.operand.value if type(node.operand.value) is int else None
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def _and_or(node: ast.AST) -> Found:
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and/or", node, _with(node, op=other)
        for index in range(len(node.values)):
            rest = [*node.values[:index], *node.values[index + 1 :]]
            yield "and/or", node, _in_brackets(rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))


def is_text(node: ast.AST) -> bool:
    """Whether this is a piece of text, whose wording is nobody's fault."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _exchanged(items: list, index: int, new) -> list:
    return [*items[:index], new, *items[index + 1 :]]


def _with(node: ast.AST, **fields) -> str:
    """The text of a node with other fields; in brackets where it may stand beside operators."""
    new = deepcopy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return ast.unparse(new) if isinstance(node, ast.Call | ast.Slice | ast.AugAssign) else _in_brackets(new)


def _in_brackets(node: ast.AST) -> str:
    return f"({ast.unparse(node)})"
