"""How worktrees are filled: `[worktree]` of config.toml in the home, and of `.orchd.toml` at the top of a checkout.

A checkout may be untrusted, so a command in its `.orchd.toml` runs only if config.toml trusts the repository.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from orchctl.errors import RefusedError
from orchd.instance import config as settings
from orchd.instance.system import open_file, os_errors
from orchd.protocol import schema

T = TypeVar("T")

PROJECT = ".orchd.toml"


class Filling(NamedTuple):
    """Settings for filling a worktree besides the files of its commit."""

    copy: tuple[str, ...] = ()  # patterns of git, from the top of the checkout
    setup: str | None = None  # a command of the shell
    submodules: bool = False
    reproducible: tuple[str, ...] = ()  # patterns of ignored files that are no work


def filling(config: Path, checkout: Path, repository: Path) -> Filling:
    """Return the settings of config.toml and the checkout: lists are joined, otherwise the checkout's come first.

    Raises RefusedError: `bad-config` for a file that cannot be used, `untrusted-setup` for a command of a repository
    that is not trusted.
    """
    common, own = _common(config), _own(checkout)
    if own.setup is not None and not is_trusted(repository, common):
        what = (
            f"{checkout / PROJECT} has the set-up command `{own.setup}`, and {repository} is not trusted: review the "
            f'command, then add its directory to `trusted = ["..."]` of the table [worktree] in {config}'
        )
        raise RefusedError(what, code="untrusted-setup", details={"setup": own.setup, "repository": str(repository)})
    submodules = common.submodules if own.submodules is None else own.submodules
    return Filling(
        copy=tuple(dict.fromkeys((*common.copy, *own.copy))),
        setup=own.setup or common.setup,
        submodules=bool(submodules),
        reproducible=(*common.reproducible, *own.reproducible),
    )


def session_paths(config: Path) -> tuple[str, ...]:
    """Return the directories of session files that config.toml sets. Raises RefusedError (`bad-config`)."""
    whole = _built(config, lambda table: table)
    return tuple(str(whole[key]) for key in ("sessions_path", "state_path") if key in whole)


def reproducible(config: Path, checkout: Path) -> tuple[str, ...]:
    """Return the patterns of ignored files that can be recreated. Raises RefusedError (`bad-config`)."""
    return (*_common(config).reproducible, *_own(checkout).reproducible)


def is_trusted(repository: Path, common: settings.AllTrees) -> bool:
    """Whether the configuration allows commands of this repository's `.orchd.toml`."""
    real = repository.resolve()
    return any(real.is_relative_to(Path(trusted).expanduser().resolve()) for trusted in common.trusted)


def _common(config: Path) -> settings.AllTrees:
    return _built(config, lambda whole: schema.parse(settings.AllTrees, whole.get("worktree", {}), "worktree"))


def _own(checkout: Path) -> settings.Trees:
    return _built(checkout / PROJECT, lambda whole: schema.parse(settings.Project, whole)).worktree


def _built(path: Path, build: Callable[[dict[str, object]], T]) -> T:
    import tomllib

    try:
        return build(tomllib.loads(open_file.read_file(path, follow=True).decode()))
    except (FileNotFoundError, NotADirectoryError):
        return build({})
    except (OSError, ValueError, RecursionError) as error:
        raise RefusedError(f"{path}: {os_errors.summary(error)}; correct it", code="bad-config") from None
