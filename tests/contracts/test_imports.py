"""No two modules import each other, not even for an annotation or within a function; and no folder is a heap."""

import ast
from pathlib import Path

import torchclinic

PACKAGE = Path(torchclinic.__file__).parent
MOST_MODULES = 20
HEAPS = {PACKAGE / "rules", PACKAGE / "error_notes" / "kinds"}  # one file for each disease, and for each kind of error


def modules() -> dict[str, Path]:
    names = {path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def imports_of(tree: ast.AST, known: dict[str, Path]) -> set[str]:
    """Modules of the package that are imported anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & known.keys()) or {node.module}
    return found & known.keys()


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """Modules that are left when those that import nothing left are taken away, again and again."""
    left = {name: set(targets) - {name} for name, targets in graph.items()}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def test_no_circle_of_imports() -> None:
    known = modules()
    graph = {name: imports_of(ast.parse(path.read_text()), known) for name, path in known.items()}
    assert len(graph) > 300
    assert circle_in(graph) == []


def test_a_circle_is_seen() -> None:
    known = {"a": Path(), "b": Path(), "c": Path()}
    text = {"a": "import b", "b": "def f():\n    from c import x", "c": "if TYPE_CHECKING:\n    import b"}
    assert circle_in({name: imports_of(ast.parse(code), known) for name, code in text.items()}) == ["a", "b", "c"]
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_no_folder_is_a_heap() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")} - HEAPS
    sizes = {folder.name: sum(path.name != "__init__.py" for path in folder.glob("*.py")) for folder in folders}
    assert {name: size for name, size in sizes.items() if size > MOST_MODULES} == {}
