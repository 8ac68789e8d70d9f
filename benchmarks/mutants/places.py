"""All the places of a source where a fault can be planted."""

import ast
from collections.abc import Iterator

from .change import Change, replaced
from .kinds import faults, is_text, other_values, whole

WORDING = ("__repr__", "__str__", "_repr_html_", "_repr_mimebundle_")  # what these say is nobody's fault
TYPES = ("tuple", "list", "dict", "set", "frozenset", "type", "Callable", "Iterator", "Sequence", "Mapping", "Iterable")
HEADS = ast.If | ast.For | ast.While | ast.With | ast.Try | ast.FunctionDef | ast.ClassDef


def places(path: str, source: str) -> list[Change]:
    """Every change of a source, in its order; several may lie at one place."""
    tree = ast.parse(source)
    finder = _Finder(path)
    finder.block(tree.body, where="")
    found = {(c.line, c.col, c.end_line, c.end_col, c.kind, c.new): c for c in finder.found}
    return [found[at] for at in sorted(found)]


class _Finder:
    """Walks statements, as they say what is wording, what an annotation, and which lines a fault can be reached by."""

    def __init__(self, path: str):
        self.path, self.found = path, []
        self._where, self._reach = "", (1, 1)

    def block(self, body: list[ast.stmt], where: str, bound: set[str] | None = None, last: bool = False) -> None:
        """``bound``: names that have a value before the block; ``last``: what follows it is the end of the function."""
        bound = set() if bound is None else bound
        for index, statement in enumerate(body):
            self._where = where
            self._reach = (statement.lineno, _head_end(statement))
            at_end = last and index == len(body) - 1
            self._statement(statement, where, bound, at_end)
            bound |= {node.id for node in ast.walk(statement) if _stores(node)}

    def _statement(self, statement: ast.stmt, where: str, bound: set[str], at_end: bool) -> None:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            self._definition(statement, f"{where}.{statement.name}".lstrip("."))
            return
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Raise | ast.Assert) or _is_wording(statement):
            if isinstance(statement, ast.Raise):
                self._add("statement", statement, "pass")
            return
        if _can_go(statement, bound) or (isinstance(statement, ast.Return) and not at_end):
            kind = "early return" if isinstance(statement, ast.Return) else "statement"
            self._add(kind, statement, "pass")
        self._expressions(statement)
        for name in ("body", "orelse", "finalbody"):
            self.block(getattr(statement, name, []), where, set(bound), at_end and name != "finalbody")
        for handler in getattr(statement, "handlers", []):
            self.block(handler.body, where, set(bound), at_end)

    def _definition(self, statement: ast.FunctionDef | ast.ClassDef, where: str) -> None:
        if statement.name in WORDING or any(_is_overload(decorator) for decorator in statement.decorator_list):
            return
        bound = set()
        if isinstance(statement, ast.FunctionDef):
            self._where = where
            self._reach = (statement.body[0].lineno, statement.end_lineno)  # defaults matter where the body runs
            arguments = statement.args
            bound = {argument.arg for argument in (*arguments.args, *arguments.kwonlyargs, *arguments.posonlyargs)}
            for default in (*arguments.defaults, *arguments.kw_defaults):
                if isinstance(default, ast.Constant):
                    for other in other_values(default.value):
                        self._add("default", default, repr(other))
        self.block(statement.body, where, bound, last=isinstance(statement, ast.FunctionDef))

    def _expressions(self, statement: ast.stmt) -> None:
        for kind, node, new in _faults_within(statement, head_only=True):
            kind = "default" if isinstance(statement, ast.AnnAssign) and node is statement.value else kind
            self._add(kind, node, new)

    def _add(self, kind: str, node: ast.AST, new: str) -> None:
        self.found.append(replaced(node, new, path=self.path, where=self._where, kind=kind, reach=self._reach))


def _faults_within(node: ast.AST, *, head_only: bool = False) -> Iterator[tuple[str, ast.AST, str]]:
    """Faults of a node and of all expressions below it, but for annotations, texts and types."""
    if is_text(node) or _is_type(node):
        return
    yield from faults(node)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.expr_context):
                continue
            if head_only and isinstance(child, ast.stmt | ast.ExceptHandler):
                continue
            if name == "slice" and whole(child) is not None:
                continue  # a constant index is off by one, and no number of its own
            if isinstance(child, ast.keyword) and child.arg == "strict":
                continue  # it tells of faults elsewhere
            yield from _faults_within(child)


def _is_type(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in TYPES


def _is_overload(decorator: ast.expr) -> bool:
    """Whether a definition is for readers of types alone: none is ever called."""
    return getattr(decorator, "attr", getattr(decorator, "id", "")) == "overload"


def _is_wording(statement: ast.stmt) -> bool:
    """A docstring, an ellipsis that stands for a body, or the list of what a module exports."""
    if isinstance(statement, ast.Expr):
        return is_text(statement.value) or (isinstance(statement.value, ast.Constant) and statement.value.value is ...)
    names = statement.targets if isinstance(statement, ast.Assign) else []
    return any(isinstance(name, ast.Name) and name.id == "__all__" for name in names)


def _can_go(statement: ast.stmt, bound: set[str]) -> bool:
    """Whether a statement can be dropped without leaving a name that has no value."""
    if isinstance(statement, ast.Assign):
        targets = [node for target in statement.targets for node in ast.walk(target)]
        return all(node.id in bound for node in targets if _stores(node))
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Yield | ast.YieldFrom)
    return isinstance(statement, ast.AugAssign | ast.Delete | ast.Break | ast.Continue)


def _stores(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _head_end(statement: ast.stmt) -> int:
    """The last line of a statement; of a compound one, of its head."""
    if isinstance(statement, HEADS):
        return max(statement.body[0].lineno - 1, statement.lineno)
    return statement.end_lineno
