"""`drystone completion`: scripts that complete verbs and options in a shell."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context

SUMMARY = "print a completion script for bash, zsh or fish"
EXAMPLE = 'eval "$(drystone completion bash)"'


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(arguments: Namespace, context: Context) -> int:
    """Print the script, made from the same table as the parser."""
    options = _options()
    script = {"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell](options)
    if arguments.json:
        context.json({"shell": arguments.shell, "script": script})
    else:
        context.out(script)
    return 0


def _options() -> dict[str, list[str]]:
    from drystone.cli.parse import verb_parser
    from drystone.cli.verbs import VERBS

    return {
        name: sorted(option for option in verb_parser(name)._option_string_actions if option.startswith("--"))
        for name in VERBS
    }


def _bash(options: dict[str, list[str]]) -> str:
    cases = "\n".join(f"    {verb}) words='{' '.join(flags)}' ;;" for verb, flags in options.items())
    return f"""_drystone() {{
  local words current="${{COMP_WORDS[COMP_CWORD]}}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{" ".join(options)}' -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{cases}
    *) words='' ;;
  esac
  case "$current" in -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;; esac
}}
complete -o default -F _drystone drystone"""


def _zsh(options: dict[str, list[str]]) -> str:
    return "autoload -U +X bashcompinit && bashcompinit\n" + _bash(options)


def _fish(options: dict[str, list[str]]) -> str:
    lines = [f"complete -c drystone -n __fish_use_subcommand -f -a '{' '.join(options)}'"]
    lines += [
        f"complete -c drystone -n '__fish_seen_subcommand_from {verb}' -l {flag.removeprefix('--')}"
        for verb, flags in options.items()
        for flag in flags
    ]
    return "\n".join(lines)
