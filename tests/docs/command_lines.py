"""Command lines of documents and deployments, held to the real command line without running anything."""

import shlex
from collections.abc import Iterator, Sequence

import click

from worker.cli import hangtag

SHELL_ENDS = frozenset({">", ">>", "|", "||", "&&", ";", "&"})


def split_line(line: str) -> list[str]:
    """The words of the first command of a shell line, its comment left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if word in SHELL_ENDS:
            break
        words.append(word)
    return words


def check_words(words: Sequence[str]) -> None:
    """Return if these words after `hangtag` are a command with arguments and options that it takes.

    A group or a command alone is accepted: `hangtag models` names a family, `hangtag tag` the command.

    Raises:
        click.UsageError: they are not.
    """
    command: click.Command = hangtag
    context = click.Context(hangtag, info_name="hangtag")
    rest = list(words)
    while isinstance(command, click.Group):
        if not rest or (command is hangtag and rest in (["--help"], ["-h"], ["--version"])):
            return
        name = rest.pop(0)
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no command {name!r} in {context.command_path!r}")
        command = found
        context = click.Context(found, info_name=name, parent=context)
    if rest:
        command.make_context(context.info_name, rest, parent=context.parent)


def walk_commands() -> Iterator[tuple[str, set[str]]]:
    """Every command as its usage names it, arguments and all, with its options but for --help."""
    yield "hangtag", _options(hangtag)
    root = click.Context(hangtag, info_name="hangtag")
    for name in hangtag.list_commands(root):
        yield from _walk(name, hangtag, root)


def _walk(name: str, group: click.Group, parent: click.Context) -> Iterator[tuple[str, set[str]]]:
    command = group.get_command(parent, name)
    assert command is not None, name
    context = click.Context(command, info_name=name, parent=parent)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            yield from _walk(child, command, context)
        return
    arguments = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    # A command's path names the metavars of the groups above it; ours have none.
    yield " ".join([context.command_path, *arguments]), _options(command)


def _options(command: click.Command) -> set[str]:
    """Those that --help shows; one that our own processes speak among themselves is hidden."""
    options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
    return {name for option in options for name in (*option.opts, *option.secondary_opts)}
