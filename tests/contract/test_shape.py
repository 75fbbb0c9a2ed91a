"""Nobody has to scroll: modules and functions stay short, and every module says what it is for."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_MODULE_LINES = 400
MAX_BODY_LINES = 40
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
MODULES = sorted(
    path
    for package in ("src/nbo", "features", "training", "serving")
    for path in (ROOT / package).rglob("*.py")
)
IDS = [path.relative_to(ROOT).as_posix() for path in MODULES]


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def long_functions(text: str) -> list[str]:
    return [
        f"line {node.lineno} {node.name}: {body_lines(node)} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_lines(node) > MAX_BODY_LINES
    ]


def test_there_are_modules_to_measure() -> None:
    assert any(name.startswith("src/nbo/") for name in IDS)


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_a_module_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "expected a module docstring"
    assert text.count("\n") <= MAX_MODULE_LINES, "what second idea is hiding in it?"
    assert path.stem not in VAGUE_NAMES
    assert not long_functions(text)


def test_a_long_function_is_seen_whatever_its_docstring() -> None:
    body = "    x = 1\n"
    assert not long_functions('def f():\n    """One.\n' + "\n" * 60 + '    """\n' + body * 40)
    assert long_functions("def f():\n" + body * 41) == ["line 1 f: 41 lines"]
