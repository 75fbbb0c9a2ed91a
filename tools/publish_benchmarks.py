"""Moves the tables that benchmarks left in runs/bench into docs/benchmarks.md.

``runs/bench/NAME.md`` replaces what stands between ``<!-- table: NAME -->`` and ``<!-- end: NAME -->``; the
text around stays. A table without its marks is an error: nothing measured is dropped without a word.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def published(page: str, tables: dict[str, str]) -> str:
    """The page with each table between its marks.

    Examples
    --------
    >>> published("a <!-- table: t -->old<!-- end: t --> b", {"t": "new"})
    'a <!-- table: t -->\\nnew\\n<!-- end: t --> b'
    """
    for name, table in tables.items():
        opening, closing = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
        marked = re.compile(re.escape(opening) + ".*?" + re.escape(closing), flags=re.DOTALL)
        text = f"{opening}\n{table.strip()}\n{closing}"
        page, count = marked.subn(lambda _, text=text: text, page)
        if count != 1:
            raise ValueError(f"expected one pair of marks {opening} {closing}, got {count}")
    return page


def main(root: Path = ROOT) -> int:
    page = root / "docs/benchmarks.md"
    folder = root / "runs/bench"
    tables = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    if not tables or not page.is_file():
        print(f"{folder if not tables else page}: nothing there. Run make bench-features.", file=sys.stderr)
        return 2
    try:
        page.write_text(published(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
    except ValueError as error:
        print(f"docs/benchmarks.md: {error}.", file=sys.stderr)
        return 2
    print(f"docs/benchmarks.md: {', '.join(tables)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
