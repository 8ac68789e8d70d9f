"""One change of one source: where it is, what it puts there, and the text of the whole file with it."""

import ast
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """``new`` in place of the text from (``line``, ``col``) to (``end_line``, ``end_col``), as ``ast`` counts them.

    Lines from 1, columns in bytes of UTF-8 from 0. ``path`` from the root of the project, ``where`` the function or
    class around it, ``reach`` the first and last line of the statement, or of a compound statement's head.
    """

    path: str
    where: str
    kind: str
    line: int
    col: int
    end_line: int
    end_col: int
    new: str
    reach: tuple[int, int]

    def applied(self, source: str) -> str:
        """The source with this change."""
        lines = source.encode().splitlines(keepends=True)
        start = sum(map(len, lines[: self.line - 1])) + self.col
        end = sum(map(len, lines[: self.end_line - 1])) + self.end_col
        whole = b"".join(lines)
        return (whole[:start] + self.new.encode() + whole[end:]).decode()

    def sound(self, source: str) -> bool:
        """Whether the source with this change is Python, and another than before."""
        try:
            return ast.dump(ast.parse(self.applied(source))) != ast.dump(ast.parse(source))
        except SyntaxError:
            return False

    def diff(self, source: str) -> tuple[str, str]:
        """The lines before and after, each in one line."""
        changed = self.applied(source)
        tail = len(source.splitlines()) - self.end_line
        lines = changed.splitlines()
        old = source.splitlines()[self.line - 1 : self.end_line]
        new = lines[self.line - 1 : len(lines) - tail]
        return tuple(" ".join(part.strip() for part in block if part.strip()) for block in (old, new))

    def key(self, source: str) -> str:
        """A name that stays when lines above it come or go."""
        return hashlib.sha256(
            "\0".join((self.path, self.where, *self.diff(source), str(self.col))).encode()
        ).hexdigest()[:16]

    @property
    def package(self) -> str:
        return self.path.partition("/")[0]


def replaced(node: ast.AST, new: str, **about) -> Change:
    """A change that puts ``new`` in place of the whole node."""
    return Change(
        line=node.lineno, col=node.col_offset, end_line=node.end_lineno, end_col=node.end_col_offset, new=new, **about
    )
