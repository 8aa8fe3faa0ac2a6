"""A fresh copy of `theory` with one place of its source altered."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader


class _Altered(SourceFileLoader):
    """Loads a module from its source with `old` replaced by `new`."""

    def __init__(self, name: str, path: str, old: str, new: str) -> None:
        super().__init__(name, path)
        self._old, self._new = old, new

    def get_code(self, fullname: str):
        source = self.get_data(self.path).decode()
        if source.count(self._old) != 1:
            raise LookupError(f"{self._old!r} stands {source.count(self._old)} times in {fullname}")
        return compile(source.replace(self._old, self._new), self.path, "exec")


class _Finder(MetaPathFinder):
    """Finds one module in its altered form."""

    def __init__(self, module: str, old: str, new: str) -> None:
        self.module, self.old, self.new = module, old, new

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name != self.module:
            return None
        spec = PathFinder.find_spec(name, path)
        assert spec is not None and spec.origin is not None
        spec.loader = _Altered(name, spec.origin, self.old, self.new)
        return spec


@contextmanager
def altered(module: str, old: str, new: str) -> Iterator[None]:
    """Inside, `import theory` gives new modules, of which `module` has `new` in the place of `old`.

    Raises LookupError at its import unless `old` stands there once.
    """
    kept = {name: x for name, x in sys.modules.items() if name.split(".")[0] == "theory"}
    finder = _Finder(module, old, new)
    for name in kept:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    try:
        import_module(module)
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [x for x in sys.modules if x.split(".")[0] == "theory"]:
            del sys.modules[name]
        sys.modules.update(kept)
