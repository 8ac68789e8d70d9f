"""Which file of the project imports which, read from the sources alone, wherever an import stands in them."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

DYNAMIC = ("import_module", "__import__")


def module_name(path: Path, root: Path) -> str:
    """``anatomy.head.levels`` for its file; a package goes by its folder."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, home: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """(module, names taken from it) of every import in a source that lies in the package ``home``."""
    for node in _import_nodes(source):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield _absolute(node, home), tuple(alias.name for alias in node.names)
        else:
            yield from ((entry.value, ()) for entry in node.args[:1] if isinstance(entry, ast.Constant))


@cache
def _import_nodes(source: str) -> tuple[ast.Import | ast.ImportFrom | ast.Call, ...]:
    """The statements and calls of a source that import: it is read once, whoever asks."""
    tree = ast.parse(source)
    nodes = ast.walk(tree) if any(name in source for name in DYNAMIC) else _statements(tree)
    return tuple(node for node in nodes if _imports(node))


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement within a node: an import as a statement lies in no expression."""
    for field in ("body", "orelse", "handlers", "finalbody", "cases"):
        inside = getattr(node, field, [])
        for statement in inside if isinstance(inside, list) else ():
            yield statement
            yield from _statements(statement)


def _imports(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return getattr(node.func, "attr", getattr(node.func, "id", "")) in DYNAMIC
    return isinstance(node, ast.Import | ast.ImportFrom)


def _absolute(node: ast.ImportFrom, home: str) -> str:
    if not node.level:
        return node.module or ""
    above = home.split(".")[: len(home.split(".")) - (node.level - 1)]
    return ".".join([*above, *([node.module] if node.module else [])])


def graph(paths: list[Path], root: Path) -> dict[str, set[str]]:
    """By file (as a module): the files of ``paths`` that it imports, itself excepted."""
    modules = {module_name(path, root): path for path in paths}
    found = {}
    for module, path in modules.items():
        home = module if path.name == "__init__.py" else module.rpartition(".")[0]
        reached = set()
        for target, names in imports(path.read_text(), home):
            inside = {f"{target}.{name}" for name in names} & set(modules)
            reached |= inside or ({target} & set(modules))
        found[module] = reached - {module}
    return found


def circles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of files each of which reaches every other; by Tarjan's algorithm."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for target in arrows[module]:
            if target not in number:
                visit(target)
            if target in stack:
                lowest[module] = min(lowest[module], lowest[target])
        if lowest[module] == number[module]:
            at = stack.index(module)
            group = sorted(stack[at:])
            del stack[at:]
            if len(group) > 1:
                found.append(group)

    for module in arrows:
        if module not in number:
            visit(module)
    return found
