"""The shape of the house, read off the source: who may import whom, and what no module does."""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_FLOORS: dict[str, set[str]] = {
    "api": {"api", "schema", "db"},
    "schema": {"schema", "db"},
    "db": {"db"},
    "migrations": set(),
}
_OURS = {*_FLOORS, "tests", "benchmarks"}

# In `db`, operations of the left may call those of the right, and nothing goes the other way.
_DOMAINS_MAY_KNOW: dict[str, set[str]] = {
    "access": set(),
    "matches": {"access", "flags"},
    "network": {"access", "matches"},
    "flags": {"access"},
    "streams": {"access"},
    "social": {"access", "matches", "practice", "streams"},
    "practice": {"access"},
    "settings": {"access"},
    "backups": {"access", "settings"},
    "leases": set(),
    "housekeeping": {"accounts", "backups", "network", "settings", "social", "streams"},
    "recordings": {"access", "matches"},
    "accounts": {"access"},
}

# These say who asks; every domain's visibility is written in their words.
_KNOWN_TO_ALL = {"db.access.viewer"}

_WORK = {"open", "print", "input", "connect", "run", "read_text", "read_bytes", "write_text", "mkdir", "unlink", "get"}


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    tree: ast.Module

    @property
    def floor(self) -> str:
        return self.name.partition(".")[0]

    @property
    def domain(self) -> str | None:
        folders = self.path.relative_to(_ROOT).parts[:-1]
        return folders[1] if len(folders) > 1 else None

    def imports(self) -> Iterator[str]:
        """Name all that is imported, wherever in the module it stands; `from a import b` may be `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} imports relatively"
                yield str(node.module)
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def imports_of_ours(self) -> set[str]:
        return {name for name in self.imports() if name.partition(".")[0] in _OURS}


@cache
def _modules() -> tuple[Module, ...]:
    paths = sorted(path for floor in _FLOORS for path in (_ROOT / floor).rglob("*.py"))
    return tuple(Module(_name(path), path, ast.parse(path.read_text())) for path in paths)


def _name(path: Path) -> str:
    parts = path.relative_to(_ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _where(found: Callable[[ast.AST], bool], modules: Iterable[Module] | None = None) -> list[str]:
    """Name the places of the nodes that a condition fits."""
    return [
        f"{module.path.relative_to(_ROOT)}:{getattr(node, 'lineno', 0)}"
        for module in modules or _modules()
        for node in ast.walk(module.tree)
        if found(node)
    ]


def test_every_floor_is_read() -> None:
    assert {module.floor for module in _modules()} == set(_FLOORS)


@pytest.mark.parametrize("floor", ["db", "schema", "api"])
def test_imports_point_down(floor: str) -> None:
    wrong = {
        f"{module.name} imports {name}"
        for module in _modules()
        if module.floor == floor
        for name in module.imports_of_ours()
        if name.partition(".")[0] not in _FLOORS[floor]
    }

    assert wrong == set()


def test_migrations_import_nothing_of_the_code_they_outlive() -> None:
    imported = {module.name: module.imports_of_ours() for module in _modules() if module.floor == "migrations"}

    assert {name: found for name, found in imported.items() if found} == {
        "migrations.env": {"db.tables", "db.tables.OF_ONE_DATABASE", "db.tables.metadata"}
    }


def test_domains_of_db_know_each_other_one_way() -> None:
    domains = {module.domain for module in _modules() if module.floor == "db" and module.domain}
    wrong = set()
    for module in _modules():
        if module.floor != "db" or module.domain is None:
            continue
        for name in module.imports_of_ours():
            other = name.split(".")[1] if "." in name else None
            is_known = any(name == known or name.startswith(f"{known}.") for known in _KNOWN_TO_ALL)
            if other in domains - {module.domain} - _DOMAINS_MAY_KNOW[module.domain] and not is_known:
                wrong.add(f"{module.name} imports {name}")

    assert domains == set(_DOMAINS_MAY_KNOW), "Say of a new domain whom its operations may call."
    assert wrong == set()


def test_what_all_domains_share_knows_none_of_them() -> None:
    # `db.tables` gathers the metadata; `db.batches` says in whose eyes a row is seen.
    allowed = {"db.tables"}
    wrong = {
        f"{module.name} imports {name}"
        for module in _modules()
        if module.floor == "db" and module.domain is None and module.name not in allowed
        for name in module.imports_of_ours()
        if name.split(".")[1:2] and name.split(".")[1] in _DOMAINS_MAY_KNOW
        if not any(name.startswith(known) for known in _KNOWN_TO_ALL)
        if name != "db.access"
    }

    assert wrong == set()


def test_only_the_settings_read_the_environment() -> None:
    def reads(node: ast.AST) -> bool:
        names = {"environ", "environb", "getenv", "load_dotenv"}
        is_attribute = isinstance(node, ast.Attribute) and node.attr in names
        return is_attribute or (isinstance(node, ast.ImportFrom) and any(alias.name in names for alias in node.names))

    others = [module for module in _modules() if module.name != "api.settings"]

    assert _where(reads, others) == []
    assert _where(lambda node: isinstance(node, ast.Name) and node.id == "BaseSettings", others) == []


def test_every_module_says_what_it_holds() -> None:
    silent = [module.name for module in _modules() if not (ast.get_docstring(module.tree) or "").strip()]

    assert silent == []


def test_nothing_works_while_it_is_imported() -> None:
    assert [place for module in _modules() for place in _working(module)] == []


def _working(module: Module) -> Iterator[str]:
    """Name the statements of a module that do something when it is imported: calls for their effect, and I/O."""
    if module.name == "migrations.env":
        # Alembic runs this module: that is what it is for.
        return
    for statement in module.tree.body:
        effects = isinstance(statement, ast.For | ast.While | ast.With | ast.Try | ast.Delete | ast.Raise)
        if effects or (isinstance(statement, ast.If) and "TYPE_CHECKING" not in ast.unparse(statement.test)):
            yield f"{module.name}:{statement.lineno}"
        for call in _calls_at_import(statement):
            if _called(call) in _WORK:
                yield f"{module.name}:{call.lineno} calls {_called(call)}"


def _calls_at_import(statement: ast.stmt) -> Iterator[ast.Call]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            yield node


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def test_any_exception_is_caught_by_the_supervisor_alone() -> None:
    def swallows_all(node: ast.AST) -> bool:
        if not isinstance(node, ast.ExceptHandler):
            return False
        caught = (
            {"Exception"} if node.type is None else {one.id for one in ast.walk(node.type) if isinstance(one, ast.Name)}
        )
        return "Exception" in caught and not isinstance(node.body[-1], ast.Raise)

    # The planned engine hands whatever went wrong to graphql-core, which answers instead and says what it was; SQLite's
    # writer hands it to whoever waits for the change that it was. A group tells it to all who watch, and a socket
    # closes with it: there is nobody above them who could. A bus begins anew whatever its driver raised, because one
    # that had ended would be a gap that nobody is told of.
    allowed = {
        "api.workers.supervisor",
        "schema.engine.executor",
        "db.sqlite",
        "db.postgresql_bus",
        "db.redis_bus",
        "schema.live.group",
        "api.transport.sockets",
    }

    assert _where(swallows_all, [module for module in _modules() if module.name not in allowed]) == []


def test_whoever_catches_even_a_cancellation_passes_it_on() -> None:
    def swallows(node: ast.AST) -> bool:
        if not isinstance(node, ast.ExceptHandler) or node.type is None:
            return False
        is_base = "BaseException" in {one.id for one in ast.walk(node.type) if isinstance(one, ast.Name)}
        return is_base and not any(isinstance(one, ast.Raise) for one in ast.walk(node))

    # A connection's thread hands whatever was raised to the one who waits for it.
    assert [place for place in _where(swallows) if not place.startswith("db/sqlite.py:")] == []


def test_secrets_are_compared_in_constant_time() -> None:
    secret_words = {"secret", "proof", "hash", "digest", "token_hash", "secret_hash", "password"}

    def compares_a_secret(node: ast.AST) -> bool:
        if not isinstance(node, ast.Compare) or not any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            return False
        sides = [node.left, *node.comparators]
        return any(_last_name(side) in secret_words for side in sides)

    assert _where(compares_a_secret) == []
    secrets = next(module for module in _modules() if module.name == "db.access.secrets")
    assert "hmac" in set(secrets.imports())


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_operations_never_commit_and_never_publish() -> None:
    def ends(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and _called(node) in {"commit", "rollback", "publish", "transaction"}

    operations = [module for module in _modules() if module.name.endswith("operations")]

    domains = {module.name.removesuffix(".operations") for module in operations if module.name.endswith(".operations")}
    assert domains == {f"db.{domain}" for domain in _DOMAINS_MAY_KNOW}
    assert _where(ends, operations) == []


def test_time_is_told_by_the_clock_that_is_given() -> None:
    def asks_the_machine(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and ast.unparse(node.func) in {
            "datetime.now",
            "datetime.utcnow",
            "datetime.today",
            "date.today",
            "time.time",
        }

    assert [place for place in _where(asks_the_machine) if not place.startswith("db/clock.py:")] == []
