"""The source of a function, with what it uses of its module and nothing else."""

from __future__ import annotations

import ast
import builtins
import copy
import inspect
import symtable
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from pframe_host.errors import FunctionRefused

#: Modules that a component has besides Python's own.
_OURS = frozenset({"parallel_framework"})
#: Names that every module has without defining them.
_GIVEN = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}
#: Names of the decorator that is left out.
_REGISTER = "register_task"


def source_of(function: Callable[[Any, Any], Any]) -> str:
    """A module that defines `function` and what it uses. What cannot be taken along is a `FunctionRefused`."""
    if not isinstance(function, types.FunctionType):
        raise FunctionRefused(f"{function!r} is not a function")
    name = function.__name__
    refuse = _refusal(name)
    if name == "<lambda>":
        raise FunctionRefused("a lambda has no name of its own: write `def`")
    if function.__qualname__ != name:
        raise refuse(f"it stands inside of `{function.__qualname__.split('.')[0]}`: move it to the top of its module")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise refuse("it is a coroutine or generator: return the result instead")
    try:
        inspect.signature(function).bind(None, None)
    except TypeError as error:
        raise refuse(f"it is called with `data` and `parameters`, and takes others ({error})") from None
    try:
        lines, _ = inspect.findsource(function)
    except (OSError, TypeError):
        raise refuse("its source cannot be found: write it in a file") from None
    return _Module("".join(lines), refuse).extract(function)


def _refusal(name: str) -> Callable[[str], FunctionRefused]:
    return lambda why: FunctionRefused(f"`{name}` cannot become a task type: {why}")


class _Module:
    """The top level of a module."""

    def __init__(self, text: str, refuse: Callable[[str], FunctionRefused]) -> None:
        self._refuse = refuse
        self._body = [it for statement in ast.parse(text).body for it in _one_by_one(statement)]
        self._binds = [set(_bound(statement)) for statement in self._body]

    def extract(self, function: types.FunctionType) -> str:
        """The function and, in the order of the module, every statement that it needs."""
        chosen = {self._definition(function)}
        wanted = set(chosen)
        while wanted:
            index = wanted.pop()
            for name in sorted(_used(self._body[index])):
                found = self._binding(name)
                wanted |= found - chosen
                chosen |= found
        statements = [self._body[index] for index in sorted(chosen)]
        for statement in statements:
            self._check_imports(statement)
        # Annotations are not evaluated, so that what only they name is not needed.
        lines = ["from __future__ import annotations", *(ast.unparse(it) for it in statements)]
        return "\n\n".join(lines) + "\n"

    def _definition(self, function: types.FunctionType) -> int:
        first = function.__code__.co_firstlineno
        for index, statement in enumerate(self._body):
            if isinstance(statement, ast.FunctionDef) and statement.name == function.__name__:
                starts = [statement.lineno, *(it.lineno for it in statement.decorator_list)]
                if first in starts:
                    statement.decorator_list = [
                        it for it in statement.decorator_list if not _registers(it)
                    ]
                    return index
        raise self._refuse("it is not defined at the top level of its module")

    def _binding(self, name: str) -> set[int]:
        found = {index for index, names in enumerate(self._binds) if name in names}
        if not found and name not in _GIVEN:
            raise self._refuse(f"it uses `{name}`, which its module does not define by that name")
        return found

    def _check_imports(self, statement: ast.stmt) -> None:
        for node in ast.walk(statement):
            if isinstance(node, ast.ImportFrom) and node.level > 0:
                raise self._refuse("it uses a relative import, and is taken along alone")
            modules = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )
            for module in modules:
                root = module.split(".")[0]
                if root not in sys.stdlib_module_names | _OURS:
                    raise self._refuse(
                        f"it imports `{root}`, which is not in Python's standard library; a sandbox has no other packages"
                    )


def _one_by_one(statement: ast.stmt) -> Iterator[ast.stmt]:
    """An import of several names as an import of each: only some of them may be needed."""
    if not isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield statement
        return
    for alias in statement.names:
        single = copy.copy(statement)
        single.names = [alias]
        yield single


def _registers(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and _REGISTER in ast.unparse(decorator.func).split(".")


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement of the top level binds."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        for alias in statement.names:
            yield alias.asname or alias.name.split(".")[0]
        return
    for node in ast.iter_child_nodes(statement):
        if isinstance(node, ast.stmt):
            yield from _bound(node)
        elif isinstance(node, ast.ExceptHandler):
            for inner in node.body:
                yield from _bound(inner)
        else:
            for inner_node in ast.walk(node):
                if isinstance(inner_node, ast.Name) and isinstance(inner_node.ctx, ast.Store):
                    yield inner_node.id


def _used(statement: ast.stmt) -> set[str]:
    """Names of the module that a statement uses, its own locals left out."""
    bare = ast.fix_missing_locations(_WithoutAnnotations().visit(ast.parse(ast.unparse(statement))))
    table = symtable.symtable(ast.unparse(bare), "module", "exec")
    return set(_globals(table))


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    is_module = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or is_module):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)


class _WithoutAnnotations(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)
