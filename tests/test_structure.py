"""How the tree is built: imports point one way, public functions have types, no name of a former layout is left."""

import ast
import re
import subprocess

import pytest

from tests.conftest import ROOT

# A module may import those of its own tier's packages and of the tiers above it in this list.
TIERS = (
    {"katrec.common"},
    {"katrec.settings", "katrec.data"},
    {"katrec.layers"},
    {"katrec.models"},
    {"katrec.evaluation", "katrec.training", "katrec.serving"},
    {"katrec.reporting", "katrec.experiments"},
    {"katrec.flags", "katrec.runs"},
    {"katrec.train", "katrec.evaluate", "katrec.export", "katrec.recommend", "katrec.search", "katrec.add_items"},
)
# Within a tier.
ALLOWED = {
    ("katrec.training", "katrec.evaluation"),
    ("katrec.experiments", "katrec.reporting"),
}
FORBIDDEN = {("katrec.layers", "katrec.data"), ("katrec.layers", "katrec.settings"), ("katrec.data", "katrec.settings")}
FILES = [path for folder in ("katrec", "preprocess") for path in sorted((ROOT / folder).rglob("*.py"))]


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    """The modules that a file imports, inside functions too, but not those for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def package_of(name):
    """The part of the project that a module belongs to, such as katrec.layers; None for what is not a part of it."""
    parts = name.split(".")
    if parts[0] == "preprocess":
        return "preprocess"
    return ".".join(parts[:2]) if parts[0] == "katrec" and len(parts) > 1 else None


def tier(package):
    return next((number for number, packages in enumerate(TIERS) if package in packages), None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    module = module_of(path)
    own = package_of(module)
    for name in imported(path):
        other = package_of(name)
        if other is None or other == own or name == "katrec.__version__":
            continue
        if own == "preprocess":
            assert other == "katrec.common", f"{module} imports {name}"
        elif module == "katrec":
            continue
        else:
            assert other != "preprocess", f"{module} imports {name}"
            assert tier(own) is not None and tier(other) is not None, f"{own} or {other} has no place in TIERS"
            fits = tier(other) < tier(own) or (own, other) in ALLOWED
            assert fits and (own, other) not in FORBIDDEN, f"{module} imports {name}"


def test_every_part_has_a_tier():
    parts = {package_of(module_of(path)) for path in FILES} - {"preprocess", None}
    assert parts == set().union(*TIERS)


def public_functions(tree, inside=""):
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node, f"{node.name}.")
        if isinstance(node, ast.FunctionDef) and (
            not node.name.startswith("_") or node.name in ("__init__", "__call__")
        ):
            yield inside + node.name, node


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_have_types_and_docstrings(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    for name, node in public_functions(tree):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        untyped = [one.arg for one in arguments if one and one.annotation is None and one.arg not in ("self", "cls")]
        assert not untyped and node.returns is not None, f"{name} has no type for {untyped or 'what it returns'}"
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_functions_are_traced_in_one_way():
    """AutoGraph would rewrite all that one `tf.function` of another kind calls."""
    found = [path.name for path in FILES if re.search(r"\btf\.function\b[^`]", path.read_text(encoding="utf-8"))]
    assert found == ["tracing.py"]


@pytest.mark.parametrize("name", ["katrec" + "_common", "/home" + "/", "/root" + "/"])
def test_the_tree_is_free_of(name):
    found = subprocess.run(["git", "grep", "-lF", name], cwd=ROOT, capture_output=True, text=True, check=False)
    # 1: nothing was found; 128: this is no checkout.
    assert found.returncode in (1, 128), found.stdout
