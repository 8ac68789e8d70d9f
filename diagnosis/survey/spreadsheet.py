"""Text that a spreadsheet takes for text."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polars import DataFrame

FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"  # how a text begins that a spreadsheet may run as a formula


def neutral(frame: "DataFrame") -> "DataFrame":
    """A DataFrame for CSV: an apostrophe before every text that a spreadsheet would take for a formula.

    As OWASP advises, https://owasp.org/www-community/attacks/CSV_Injection; names of columns too, numbers are left.
    """
    import polars

    told = frame.with_columns(polars.col(polars.String).str.replace(FORMULA, "'${0}"))
    return told.rename(lambda name: f"'{name}" if re.match(FORMULA, name) else name)
