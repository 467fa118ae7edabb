"""Reading shell text far enough to know which programs it would run with which words; nothing is ever run."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

#: Stands within a word for what is not known: a variable of the process, the output of a command.
OPEN = "\0"

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ash", "ksh"})
POWERSHELLS = frozenset({"pwsh", "powershell"})
CMD = frozenset({"cmd"})
#: Programs that give a script to a shell after `-c`.
_USERS = frozenset({"su", "runuser"})
#: Programs that run their last word as a script.
_TERMINALS = frozenset({"tmux", "screen"})
_DECLARING = frozenset({"export", "declare", "typeset", "local", "readonly"})
_KEYWORDS = ("coproc", "if", "then", "else", "elif", "do", "while", "until", "!", "{", "time")
#: What may stand before a loop in the same simple command.
_BEFORE_LOOP = frozenset({"do", "then", "else", "{", "!", "time"})
#: A loop over more words, or in a longer text, counts as one that nobody can count.
_MOST_ROUNDS = 20
_LONGEST_RUN_THROUGH = 20_000
_COUNTING = re.compile(r"\s*\(*\s*\$?(\w+)\s*=[^\n]{0,200}?\)", re.ASCII)
_SPAN = re.compile(r"\{(\d{1,6})\.\.(\d{1,6})\}", re.ASCII)
#: Words that stand for any number of words.
_NO_WORD = re.compile(rf"[{OPEN}*?\[{{]")
_POWERSHELL_LOOP = re.compile(r"\bforeach\b|\bforeach-object\b|\|\s*%\s*\{|\bfor\s*\(|\bwhile\s*\(", re.IGNORECASE)
_WRAPPERS = frozenset(
    (
        *_KEYWORDS,
        *("sudo", "doas", "env", "exec", "nohup", "command", "builtin", "nice", "timeout", "xargs", "retry", "busybox"),
        *(
            "stdbuf",
            "setsid",
            "ionice",
            "chronic",
            "unbuffer",
            "parallel",
            "watch",
            "flock",
            "chroot",
            "systemd-run",
            "call",
        ),
        *("foreach-object", "%", "wsl"),
    )
)
#: Wrappers that take the program and its words as one.
_TAKES_TEXT = frozenset({"watch", "parallel"})
#: Programs that run their input as a script.
_RUNS_STDIN = frozenset({"source", ".", "at", "batch"})
_EVALUATING = frozenset({"eval", "invoke-expression", "iex"})
_EXECUTING = frozenset({"-exec", "-execdir", "-ok"})
#: Wrappers that take a word of their own before the program.
_TAKES_ONE = frozenset({"flock", "chroot"})
#: Options of wrappers that take the next word.
_VALUED = frozenset({"-u", "--user", "-g", "-k", "-s", "-I", "-P", "-L", "-C", "-d", "-a", "-E", "-w", "-j", "--unit"})
#: Options of `ssh` that take the next word.
_SSH_VALUED = frozenset(f"-{letter}" for letter in "BbcDEeFIiJLlmOopQRSWw")
_WRAPPER_VALUE = re.compile(r"[\d.]+[smhd]?|root")
_LONGEST = 400_000
_LONGEST_BASE64 = 2_000_000
_DEEPEST = 16
_CONTINUATION = re.compile(r"\\\r?\n|[`^][ \t]*\r?\n")
_VARIABLE = re.compile(r"\{(\w+)(?:\[[@*]\])?(?::?[-=]([^}]*))?\}|(\w+|[@*])", re.ASCII)
_WHOLE_ARRAY = re.compile(r'"\$(?:\{(\w+)\[@\]\}|@)"', re.ASCII)
#: A function that runs its own arguments, such as `try() { "$@" || exit 1; }`.
_RUNNER = re.compile(r'([\w-]+)[ \t]*\(\)[ \t\n]*(?=\{)[^}]{0,400}?(?:[;&|{\n]|\b(?:if|then|do)\b|!)[ \t]*"?\$[@*]')
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|([0-7]{1,3})|(.))", re.DOTALL)
_NAMED_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
#: PowerShell's variables of the environment: where one is read, and where one is set.
_ENVIRONMENT = re.compile(r"env:(\w+)(?!\w|\s*=)|\{env:(\w+)\}", re.ASCII | re.IGNORECASE)
_SETTING = re.compile(f"{OPEN}:(\\w+)(?:=(.*))?", re.ASCII | re.DOTALL)
_POWERSHELL_SCOPE = re.compile(r"\$(?:script|global|local):", re.IGNORECASE)
_POWERSHELL_ASSIGNMENT = re.compile(r"(^|[;{\n])[ \t]*\$(\w+)[ \t]*=[ \t]*(?=['\"])")
_CMD_VARIABLE = re.compile(r"%(\w+)%")
#: When a line of a crontab runs.
_SCHEDULE = re.compile(r"^[ \t]*(?:@\w+|(?:[\d*/,-]+[ \t]+){5})", re.MULTILINE)
_RECIPE = re.compile(r"^\t[@-]*(.*)$", re.MULTILINE)
_NOWHERE = re.compile(r"/dev/(?:null|stdout|stderr|tty)|[&\d]*|\$null", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"(\w+)\+?=(.*)", re.ASCII | re.DOTALL)


class UnreadableError(Exception):
    """The text is no balanced shell text, or too long or too deeply nested to be read."""


@dataclass(frozen=True)
class Call:
    """A program with its arguments; `OPEN` stands in words for what is not known.

    Attributes:
        program: the last part of its path, lower-case, without `.exe` or `.cmd`.
        arguments: the words after it.
        variables: what is known of its environment.
        stdin: what is known of its input: a here-document, a here-string, what an `echo` before the pipe says.
        into: the file that its output is redirected into, if any.
        repeated: whether it runs in a loop that nobody can count, and with other words each time.
    """

    program: str
    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    stdin: str = ""
    into: str = ""
    repeated: bool = False

    @property
    def output(self) -> str:
        """What it would print, where its words tell."""
        shown = [word for word in self.arguments if not re.fullmatch(r"-[neE]+", word)]
        if self.program == "echo":
            return (
                _unescaped(" ".join(shown))
                if any("e" in w for w in self.arguments if w[:1] == "-")
                else " ".join(shown)
            )
        if self.program == "printf" and shown:
            plain = re.fullmatch(r"(?:%[sb](?:\\n)?)+", shown[0])
            return "\n".join(shown[1:]) if plain else _unescaped(shown[0])
        if self.program == "base64" and {"-d", "-D", "--decode"}.intersection(self.arguments):
            return decoded(self.stdin)
        return self.stdin if self.program in {"cat", "tee", "sed", "envsubst"} else ""

    @property
    def written(self) -> Mapping[str, str]:
        """The text that it would write, by file."""
        files = [word for word in self.arguments if word[:1] != "-"] if self.program == "tee" else []
        if self.into and not _NOWHERE.fullmatch(self.into):
            files.append(self.into)
        text = self.output if files else ""
        return dict.fromkeys(files, text) if text else {}


def calls(text: str, variables: Mapping[str, str]) -> list[Call]:
    """The programs that a shell would run for this text, those in substitutions and in `bash -c` included.

    Raises:
        UnreadableError: unbalanced quotes, or out of bounds.
    """
    return _calls(text, dict(variables), 0)


def run(words: list[str], variables: Mapping[str, str], stdin: str = "") -> list[Call]:
    """The programs that come of running these words, which a shell may be among.

    Raises:
        UnreadableError: as `calls`.
    """
    return _run(_Command(list(words), stdin=stdin), dict(variables), 0)


def decoded(text: str, encoding: str = "utf-8") -> str:
    """The text behind base64, as far as it is one."""
    if len(text) > _LONGEST_BASE64:
        return ""
    try:
        return base64.b64decode(text, validate=False).decode(encoding, "replace")
    except ValueError:
        return ""


def _calls(text: str, variables: dict[str, str], depth: int, *, powershell: bool = False) -> list[Call]:
    if depth > _DEEPEST or len(text) > _LONGEST:
        raise UnreadableError
    text = _CONTINUATION.sub(lambda match: "" if match[0][0] == "\\" else " ", text)
    if powershell:
        text = _plain_powershell(text)
    runners = {match[1] for match in _RUNNER.finditer(text)} if "()" in text else set()
    # An array expands into words of its own even between quotes.
    text = _WHOLE_ARRAY.sub(lambda match: f"${{{match[1]}[@]}}" if match[1] else "$@", text)
    lexer = _Lexer(text, variables, depth, powershell)
    found = _block(lexer, runners, 0)
    return found + lexer.nested


def _block(lexer: _Lexer, runners: set[str], loops: int) -> list[Call]:
    """The calls up to the end of a loop's body, or of the text where there is none; a loop over words is run through.

    Args:
        lexer: at the block's begin.
        runners: functions that run their own arguments.
        loops: how many loops are around it.
    """
    if loops > _DEEPEST:
        raise UnreadableError
    found: list[Call] = []
    piped = ""
    for command in lexer.commands():
        words = command.words
        start = next((i for i, word in enumerate(words) if word not in _BEFORE_LOOP), len(words))
        head = words[start:]
        if head[:1] == ["done"] and loops:
            return found
        if head[:1] == ["for"]:
            found += _loop(lexer, runners, head, loops)
            continue
        if words and program_name(words[0]) in runners:
            del words[0]
        if piped and not command.stdin:
            command.stdin = piped
        made = _run(command, lexer.variables, lexer.depth)
        piped = made[-1].output if made and command.pipes else ""
        found += made
        if head[:1] in (["while"], ["until"]):
            read = [word for word in head[2:] if word.isidentifier()] if "read" in head[1:2] else []
            lexer.variables.update(dict.fromkeys(read, OPEN))
            body = _block(lexer, runners, loops + 1)
            found += _repeated(body) if read else body
    return found


def _loop(lexer: _Lexer, runners: set[str], head: list[str], loops: int) -> list[Call]:
    """The calls of a `for` loop: once for each word where all are written out, else as of a number nobody knows."""
    counting = _COUNTING.match(lexer.text, lexer.at) if head == ["for"] else None
    if counting:
        lexer.at = counting.end()
    variable = counting[1] if counting else "".join(head[1:2])
    rounds = [one for word in head[3:] for one in _words_of(word)]
    start, found = lexer.at, list[Call]()
    told = 0 < len(rounds) <= _MOST_ROUNDS and not any(_NO_WORD.search(one) for one in rounds)
    if loops or not told or len(lexer.text) > _LONGEST_RUN_THROUGH:
        lexer.variables[variable] = OPEN
        return _repeated(_block(lexer, runners, loops + 1))
    for one in rounds:
        lexer.at, lexer.variables[variable] = start, one
        found += _block(lexer, runners, loops + 1)
    lexer.variables.pop(variable, None)
    return found


def _words_of(word: str) -> list[str]:
    span = _SPAN.fullmatch(word)
    if not span:
        return [word]
    first, last = int(span[1]), int(span[2])
    return [str(number) for number in range(first, min(last, first + _MOST_ROUNDS) + 1)]


def _repeated(found: list[Call]) -> list[Call]:
    return [replace(call, repeated=True) if any(OPEN in word for word in call.arguments) else call for call in found]


def _run(command: _Command, variables: dict[str, str], depth: int) -> list[Call]:
    if depth > _DEEPEST:
        raise UnreadableError
    own, words = dict(variables), command.words
    start = 0
    while start < len(words) and (assignment := _ASSIGNMENT.fullmatch(words[start])):
        own[assignment[1]] = assignment[2]
        start += 1
    words = words[start:]
    if words and (setting := _SETTING.fullmatch(words[0])) and (setting[2] is not None or words[1:2] == ["="]):
        variables[setting[1]] = " ".join(words[2:]) if setting[2] is None else setting[2]
        return []
    if len(words) > 2 and words[1] == "=":
        # PowerShell keeps a result so: `$endpoint = New-AzPrivateEndpoint ...`.
        words = words[2:]
    elif words and words[0].startswith(f"{OPEN}="):
        words = [words[0][2:], *words[1:]]
    if not words:
        variables.update(own)
        return []
    program, arguments = program_name(words[0]), words[1:]
    if program in _DECLARING or program == "set":
        pairs = (_ASSIGNMENT.fullmatch(word) for word in arguments)
        variables.update({pair[1]: pair[2] for pair in pairs if pair})
        if arguments[:1] == ["--"]:
            variables.update(_positional(["", *arguments[1:]]))
        return []
    if program == "alias":
        pairs = (_ASSIGNMENT.fullmatch(word) for word in arguments)
        variables.update({f"alias {pair[1]}": pair[2] for pair in pairs if pair})
        return []
    if f"alias {words[0]}" in own:
        meant = own.pop(f"alias {words[0]}")
        command.words = [*meant.split(), *arguments]
        return _run(command, own, depth + 1)
    if program in _EVALUATING:
        return _calls(" ".join(arguments), own, depth + 1)
    if program == "trap" and arguments:
        return _calls(arguments[0], own, depth + 1)
    if program in _RUNS_STDIN and command.stdin:
        return _calls(command.stdin, own, depth + 1)
    if program == "crontab" and command.stdin:
        return _calls(_SCHEDULE.sub("", command.stdin), own, depth + 1)
    if program == "make" and command.stdin:
        return _calls("\n".join(_RECIPE.findall(command.stdin)), own, depth + 1)
    if program == "find":
        start = next((i + 1 for i, word in enumerate(arguments) if word in _EXECUTING), len(arguments))
        return _run(_Command(arguments[start:]), own, depth + 1)
    if program == "start-process":
        return _started(arguments, own, depth)
    if program in _WRAPPERS:
        return _wrapped(program, arguments, command, own, depth)
    if program in SHELLS | _USERS:
        return _shell(program, arguments, command.stdin, own, depth)
    if program in POWERSHELLS:
        encoded = _after(arguments, lambda word: word.lower() in {"-e", "-ec", "-enc", "-encodedcommand"})
        script = _after(arguments, lambda word: word.lower() in {"-c", "-command"}) or command.stdin
        script = decoded(encoded, "utf-16-le") if encoded else script
        made = _calls(script, own, depth + 1, powershell=True) if script else []
        return _repeated(made) if _POWERSHELL_LOOP.search(script) else made
    if program in CMD:
        script = _after(arguments, lambda word: word.lower() in {"/c", "/k", "/s"})
        return _calls(_CMD_VARIABLE.sub(r"${\1}", script), own, depth + 1) if script else []
    if program == "ssh":
        host = _first(arguments, _SSH_VALUED, lambda word: not word.startswith("-"))
        script = " ".join(arguments[host + 1 :]) or command.stdin
        return _calls(script, {}, depth + 1) if script and host < len(arguments) else []
    if program in _TERMINALS and arguments:
        return _calls(arguments[-1], own, depth + 1)
    if program.startswith("python") and arguments[:2] == ["-m", "azure.cli"]:
        program, arguments = "az", arguments[2:]
    return [Call(program, tuple(arguments), own, command.stdin, command.into)]


def _wrapped(
    program: str, arguments: list[str], command: _Command, variables: dict[str, str], depth: int
) -> list[Call]:
    if program == "env" and arguments[:1] == ["-S"]:
        return _calls(" ".join(arguments[1:]), variables, depth + 1)
    start = _first(arguments, _VALUED, _runs)
    if program in _TAKES_ONE:
        start += 1 + _first(arguments[start + 1 :], _VALUED, _runs)
    if start >= len(arguments):
        return []
    if program in _TAKES_TEXT or (program in _TAKES_ONE and arguments[start - 1] == "-c"):
        return _calls(" ".join(arguments[start:]), variables, depth + 1)
    inner = _Command(arguments[start:], stdin=command.stdin, into=command.into)
    own = {pair[1]: pair[2] for word in arguments[:start] if (pair := _ASSIGNMENT.fullmatch(word))}
    made = _run(inner, {**variables, **own}, depth + 1)
    return [replace(call, repeated=True) for call in made] if program == "xargs" else made


def _shell(program: str, arguments: list[str], stdin: str, variables: dict[str, str], depth: int) -> list[Call]:
    flag = next((i for i, word in enumerate(arguments) if re.fullmatch(r"-[a-z]*c|--command", word)), len(arguments))
    script, *rest = arguments[flag + 1 :] or [""]
    if not script and program in SHELLS:
        script = stdin
    if rest and not re.search(r"\$[{\d@*]", script):
        # Whoever quotes so means the words after it too, though a shell takes them for the script's own arguments.
        script, rest = " ".join([script, *rest]), []
    return _calls(script, {**variables, **_positional(rest)}, depth + 1) if script else []


def _started(arguments: list[str], variables: dict[str, str], depth: int) -> list[Call]:
    """What PowerShell's `Start-Process` starts: the list of its arguments is one word, or follows the program."""
    shown = [word for word in arguments if not word.lower().startswith(("-arg", "-file", "-wait", "-nonew"))]
    words = [part.strip() for word in shown for part in re.split(r"[, ]", word) if part.strip()]
    return _run(_Command(words), variables, depth + 1) if words else []


def _plain_powershell(text: str) -> str:
    """PowerShell text with what is peculiar to it put as a shell would have it."""
    for quote in "'\"":
        text = _between(text, f"@{quote}\n", f"\n{quote}@", lambda inner: "'" + inner.replace("'", " ") + "'")
    text = _POWERSHELL_SCOPE.sub("$", _between(text, "<#", "#>", lambda _: " "))
    return _POWERSHELL_ASSIGNMENT.sub(r"\1\2=", text)


def _between(text: str, opening: str, closing: str, put: Callable[[str], str]) -> str:
    """The text with all that stands between two marks put in another way, the marks left out."""
    parts: list[str] = []
    at = 0
    while (start := text.find(opening, at)) >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            break
        parts += [text[at:start], put(text[start + len(opening) : end])]
        at = end + len(closing)
    return "".join([*parts, text[at:]])


def _positional(words: list[str]) -> dict[str, str]:
    """A script's own arguments, its name first, as the variables that it reads them by."""
    named = {str(number): word for number, word in enumerate(words)}
    return {**named, "@": " ".join(words[1:]), "*": " ".join(words[1:])} if len(words) > 1 else named


def _first(words: list[str], valued: frozenset[str], chooses: Callable[[str], bool]) -> int:
    """Where the first such word is that is no option's value; the length where none is."""
    before = ["", *words]
    found = (i for i, word in enumerate(words) if chooses(word) and before[i] not in valued)
    return next(found, len(words))


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match[4]:
            return _NAMED_ESCAPES.get(match[4], match[4])
        return chr(int(match[1] or match[2] or match[3], 8 if match[3] else 16))

    return _ESCAPE.sub(one, text)


def program_name(word: str) -> str:
    """A program's name without folder, ending and case."""
    return re.split(r"[/\\]", word)[-1].lower().removesuffix(".exe").removesuffix(".cmd")


def _runs(word: str) -> bool:
    # After a wrapper and its options: the first word that is neither an option, a value, nor an assignment.
    return not word.startswith("-") and not _ASSIGNMENT.fullmatch(word) and not _WRAPPER_VALUE.fullmatch(word)


def _after(words: list[str], chooses: Callable[[str], bool]) -> str:
    for index, word in enumerate(words):
        if chooses(word):
            return " ".join(words[index + 1 :]) if index + 1 < len(words) else ""
    return ""


@dataclass
class _Command:
    """A simple command as it is read.

    Attributes:
        words: its words so far.
        word: the word under way.
        awaits: the redirection whose operand comes next.
        stdin, into: as in `Call`.
        pipes: whether its output goes to the next one.
    """

    words: list[str] = field(default_factory=list)
    word: str | None = None
    awaits: str = ""
    stdin: str = ""
    into: str = ""
    pipes: bool = False

    def add(self, text: str) -> None:
        self.word = (self.word or "") + text

    def end_word(self) -> None:
        if self.word is None:
            return
        if self.awaits == "<<<":
            self.stdin = self.word
        elif self.awaits == ">":
            self.into = self.word
        elif not self.awaits:
            self.words.append(self.word)
        self.word, self.awaits = None, ""

    def redirect(self, operator: str) -> None:
        """Begin a redirection; a number just before it is a file's, no word."""
        if self.word is not None and self.word.isdigit():
            self.word = None
        self.end_word()
        self.awaits = operator


@dataclass
class _Lexer:
    text: str
    variables: dict[str, str]
    depth: int
    powershell: bool = False
    nested: list[Call] = field(default_factory=list)
    at: int = 0

    def commands(self) -> Iterator[_Command]:
        """Simple commands in order. Those of a line with a here-document come when it has been read."""
        line: list[_Command] = []
        documents: list[tuple[_Command, str]] = []
        command = _Command()
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            self.at += 1
            if char in " \t\r":
                command.end_word()
            elif char == "(" and command.word is not None and _ASSIGNMENT.fullmatch(command.word):
                command.add(self._until_closed())
            elif char in "({" and command.word == "@":
                # PowerShell's lists and tables, which may hold calls.
                inner = self._until_closed("()" if char == "(" else "{}")
                command.add(inner)
                self.nested += _calls(inner, dict(self.variables), self.depth + 1, powershell=self.powershell)
            elif char == "&" and text.startswith(">", self.at):
                continue
            elif char in "\n;&|()" or (self.powershell and char in "{}" and command.word is None):
                command.end_word()
                command.pipes = char == "|" and not text.startswith("|", self.at)
                line.append(command)
                command = _Command()
                if char == "\n":
                    self._here_documents(documents)
                if not documents:
                    yield from (one for one in line if one.words)
                    line = []
            elif char in "<>":
                delimiter = self._redirection(char, command)
                if delimiter:
                    documents.append((command, delimiter))
            elif char == "#" and command.word is None:
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            elif char == "$" and text.startswith("'", self.at):
                command.add(self._ansi_quoted())
            elif char == "$" and not text.startswith('"', self.at):
                self._expanded(command)
            elif char != "$":
                command.add(self._quoted(char))
        command.end_word()
        yield from (one for one in [*line, command] if one.words)

    def _redirection(self, char: str, command: _Command) -> str:
        """Read a redirection's operator, and for a here-document its delimiter."""
        text = self.text
        if char == "<" and text.startswith("<<", self.at):
            self.at += 2
            command.redirect("<<<")
        elif char == "<" and text.startswith("<", self.at):
            self.at += 1
            command.redirect("")
            return self._delimiter()
        elif char == "<":
            if not text.startswith("(", self.at):
                command.redirect("<")
                return ""
            # `<(...)` is a command of its own, whose output is read.
            command.end_word()
            self.at += 1
            made = _calls(self._until_closed(), dict(self.variables), self.depth + 1)
            self.nested += made
            command.stdin = made[-1].output if made else ""
        else:
            command.redirect(">")
            self.at += text.startswith((">", "&", "|"), self.at)
        return ""

    def _expanded(self, command: _Command) -> None:
        value = self._expand()
        whole = (command.word or "") + value
        if " " not in value and "\n" not in value:
            if value or command.word is not None:
                command.word = whole
            return
        *ended, command.word = whole.split() or [""]
        command.words += ended

    def _ansi_quoted(self) -> str:
        found = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL).match(self.text, self.at)
        if not found:
            raise UnreadableError
        self.at = found.end()
        return _unescaped(found[1])

    def _quoted(self, char: str) -> str:
        text = self.text
        if char == ("`" if self.powershell else "\\"):
            self.at += 1
            return text[self.at - 1 : self.at]
        if char == "'":
            end = text.find("'", self.at)
            if end < 0:
                raise UnreadableError
            start, self.at = self.at, end + 1
            return text[start:end]
        if char == "`":
            end = text.find("`", self.at)
            if end < 0:
                raise UnreadableError
            start, self.at = self.at, end + 1
            self.nested += _calls(text[start:end], dict(self.variables), self.depth + 1)
            return OPEN
        return self._double_quoted() if char == '"' else char

    def _double_quoted(self) -> str:
        word = ""
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == '"':
                return word
            escaped = self.text[self.at : self.at + 1]
            if escaped and (char == "`" if self.powershell else char == "\\" and escaped in '$`"\\'):
                word += escaped
                self.at += 1
            elif char == "$":
                word += self._expand()
            elif char == "`":
                word += self._quoted(char)
            else:
                word += char
        raise UnreadableError

    def _expand(self) -> str:
        if self.text.startswith("(", self.at):
            self.at += 1
            made = _calls(self._until_closed(), dict(self.variables), self.depth + 1, powershell=self.powershell)
            self.nested += made
            printed = made[0].output if len(made) == 1 and made[0].program in {"echo", "printf"} else ""
            return printed or OPEN
        environment = _ENVIRONMENT.match(self.text, self.at)
        if environment:
            self.at = environment.end()
            return self.variables.get(environment[1] or environment[2], OPEN)
        found = _VARIABLE.match(self.text, self.at)
        if not found:
            return OPEN
        self.at = found.end()
        value = self.variables.get(found[1] or found[3])
        if value is None:
            return found[2] or OPEN
        return value

    def _until_closed(self, pair: str = "()") -> str:
        start, depth, quote = self.at, 1, ""
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            elif char == "\\":
                self.at += 1
            elif char in pair:
                depth += 1 if char == pair[0] else -1
                if depth == 0:
                    return self.text[start : self.at - 1]
        raise UnreadableError

    def _delimiter(self) -> str:
        found = re.compile(r"-?[ \t]*(['\"]?)([\w.-]+)\1").match(self.text, self.at)
        if not found:
            return ""
        self.at = found.end()
        return found[2]

    def _here_documents(self, documents: list[tuple[_Command, str]]) -> None:
        for command, delimiter in documents:
            end = re.compile(rf"^[ \t]*{re.escape(delimiter)}[ \t]*\r?$", re.MULTILINE).search(self.text, self.at)
            if end is None:
                raise UnreadableError
            command.stdin = self.text[self.at : end.start()]
            self.at = end.end()
        documents.clear()
