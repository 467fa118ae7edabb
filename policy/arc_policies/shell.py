"""Reading shell text far enough to know which programs it would run with which words; nothing is ever run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

#: Stands within a word for what is not known: a variable of the process, the output of a command.
OPEN = "\0"

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ash", "ksh"})
POWERSHELLS = frozenset({"pwsh", "powershell"})
CMD = frozenset({"cmd"})
_KEYWORDS = ("if", "then", "else", "elif", "do", "while", "until", "!", "{", "time")
_WRAPPERS = frozenset(
    (
        *_KEYWORDS,
        *("sudo", "doas", "env", "exec", "nohup", "command", "builtin", "nice", "timeout", "xargs", "retry"),
        *("foreach-object", "%", "wsl", "stdbuf", "setsid", "unbuffer", "chronic"),
    )
)
#: Options of wrappers that take the next word.
_VALUED = frozenset({"-u", "--user", "-g", "-k", "-s", "-I", "-P", "-L", "-C"})
_SSH_VALUED = frozenset(f"-{letter}" for letter in "BbcDEeFIiJLlmOoPpQRSWw")
#: Programs that run a text as another user, as shells do.
_SWITCHES = frozenset({"su", "runuser"})
_PYTHON = re.compile(r"python[\d.]*")
_WRAPPER_VALUE = re.compile(r"[\d.]+[smhd]?|root")
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
_LONGEST = 400_000
_DEEPEST = 12
_CONTINUATION = re.compile(r"\\\r?\n|[`^][ \t]*\r?\n")
_VARIABLE = re.compile(r"\{(\w+)(?:\[[@*]\])?(?::?[-=]([^}]*))?\}|(\w+)", re.ASCII)
#: PowerShell's variables of the environment: where one is read, and where one is set.
_ENVIRONMENT = re.compile(r"env:(\w+)(?!\w|\s*=)|\{env:(\w+)\}", re.ASCII | re.IGNORECASE)
_SETTING = re.compile(f"{OPEN}:(\\w+)(?:=(.*))?", re.ASCII | re.DOTALL)
_WHOLE_ARRAY = re.compile(r'"\$\{(\w+)\[@\]\}"', re.ASCII)
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
        repeated: whether it runs in a loop that nobody can count, and with other words each time.
    """

    program: str
    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    repeated: bool = False


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
    return _run(words, dict(variables), stdin, 0)


def _calls(text: str, variables: dict[str, str], depth: int) -> list[Call]:
    if depth > _DEEPEST or len(text) > _LONGEST:
        raise UnreadableError
    text = _CONTINUATION.sub(lambda match: "" if match[0][0] == "\\" else " ", text)
    # An array expands into words of its own even between quotes.
    lexer = _Lexer(_WHOLE_ARRAY.sub(r"${\1[@]}", text), variables, depth)
    found = _block(lexer, 0)
    return found + lexer.nested


def _block(lexer: _Lexer, loops: int) -> list[Call]:
    """The calls up to the end of a loop's body, or of the text where there is none; a loop over words is run through.

    Args:
        lexer: at the block's begin.
        loops: how many loops are around it.
    """
    if loops > _DEEPEST:
        raise UnreadableError
    found: list[Call] = []
    for words, stdin in lexer.commands():
        start = next((i for i, word in enumerate(words) if word not in _BEFORE_LOOP), len(words))
        head = words[start:]
        if head[:1] == ["done"] and loops:
            return found
        if head[:1] == ["for"]:
            found += _loop(lexer, head, loops)
            continue
        found += _run(words, lexer.variables, stdin, lexer.depth)
        if head[:1] in (["while"], ["until"]):
            read = [word for word in head[2:] if word.isidentifier()] if "read" in head[1:2] else []
            lexer.variables.update(dict.fromkeys(read, OPEN))
            body = _block(lexer, loops + 1)
            found += _repeated(body) if read else body
    return found


def _loop(lexer: _Lexer, head: list[str], loops: int) -> list[Call]:
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
        return _repeated(_block(lexer, loops + 1))
    for one in rounds:
        lexer.at, lexer.variables[variable] = start, one
        found += _block(lexer, loops + 1)
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


def _run(words: list[str], variables: dict[str, str], stdin: str, depth: int) -> list[Call]:
    own = dict(variables)
    while words and (assignment := _ASSIGNMENT.fullmatch(words[0])):
        own[assignment[1]] = assignment[2]
        words = words[1:]
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
    if program.startswith("python") and arguments[:2] == ["-m", "azure.cli"]:
        program, arguments = "az", arguments[2:]
    if program in {"export", "declare", "local", "set"}:
        pairs = (_ASSIGNMENT.fullmatch(word) for word in arguments)
        variables.update({pair[1]: pair[2] for pair in pairs if pair})
        return []
    if _PYTHON.fullmatch(program) and arguments[:2] == ["-m", "azure.cli"]:
        return [Call("az", tuple(arguments[2:]), own)]
    if program == "ssh":
        script = _remote(arguments) or stdin
        return _calls(script, {}, depth + 1) if script else []
    if program == "eval":
        return _calls(" ".join(arguments), own, depth + 1)
    if program in _WRAPPERS:
        before = ["", *arguments]
        start = next((i for i, word in enumerate(arguments) if _runs(word) and before[i] not in _VALUED), None)
        if start is None:
            return []
        own |= {pair[1]: pair[2] for word in arguments[:start] if (pair := _ASSIGNMENT.fullmatch(word))}
        made = _run(arguments[start:], own, stdin, depth)
        return [replace(call, repeated=True) for call in made] if program == "xargs" else made
    if program in SHELLS or program in _SWITCHES:
        script = _after(arguments, lambda word: bool(re.fullmatch(r"-[a-z]*c", word))) or stdin
        return _calls(script, own, depth + 1) if script else []
    if program in POWERSHELLS:
        script = _after(arguments, lambda word: word.lower() in {"-c", "-command"}) or stdin
        made = _calls(script, own, depth + 1) if script else []
        return _repeated(made) if _POWERSHELL_LOOP.search(script) else made
    if program in CMD:
        script = _after(arguments, lambda word: word.lower() in {"/c", "/k", "/s"})
        return _calls(script, own, depth + 1) if script else []
    return [Call(program, tuple(arguments), own)]


def _remote(arguments: list[str]) -> str:
    """What `ssh` has the other machine run: the words after its options and the host."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] in _SSH_VALUED else rest[1:]
    return " ".join(rest[1:])


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
class _Lexer:
    text: str
    variables: dict[str, str]
    depth: int
    nested: list[Call] = field(default_factory=list)
    at: int = 0

    def commands(self) -> Iterator[tuple[list[str], str]]:
        """Simple commands in order, each with the text of its here-document."""
        words: list[str] = []
        word: str | None = None
        delimiters: list[str] = []
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            self.at += 1
            if char in " \t\r":
                words, word = _put(words, word)
            elif char == "(" and word is not None and _ASSIGNMENT.fullmatch(word):
                word += self._until_closed()
            elif char in "({" and word == "@":
                # PowerShell's lists and tables, which may hold calls.
                word += self._until_closed("()" if char == "(" else "{}")
                self.nested += _calls(word[1:], self.variables, self.depth + 1)
            elif char == "&" and text.startswith(">", self.at):
                continue
            elif char in "\n;&|()":
                words, word = _put(words, word)
                body = self._here_documents(delimiters) if char == "\n" else ""
                if words and not (delimiters and char != "\n"):
                    yield words, body
                    words = []
            elif char in "<>":
                words, word = _put(words, word)
                if text.startswith("<<", self.at):
                    self.at += 2
                elif text.startswith("<", self.at) and char == "<":
                    self.at += 1
                    delimiters.append(self._delimiter())
                elif text.startswith("&", self.at):
                    self.at += 1
            elif char == "#" and word is None:
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            elif char == "$" and not text.startswith(("'", '"'), self.at):
                value = self._expand()
                pieces = ((word or "") + value).split() if " " in value or "\n" in value else [(word or "") + value]
                if value or word is not None:
                    *whole, word = pieces or [""]
                    words += whole
            elif char != "$":
                word = (word or "") + self._quoted(char)
        words, word = _put(words, word)
        if words:
            yield words, ""

    def _quoted(self, char: str) -> str:
        text = self.text
        if char == "\\":
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
            self.nested += _calls(text[start:end], self.variables, self.depth + 1)
            return OPEN
        return self._double_quoted() if char == '"' else char

    def _double_quoted(self) -> str:
        word = ""
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == '"':
                return word
            if char == "\\" and self.text[self.at : self.at + 1] in '$`"\\':
                word += self.text[self.at : self.at + 1]
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
            self.nested += _calls(self._until_closed(), self.variables, self.depth + 1)
            return OPEN
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

    def _here_documents(self, delimiters: list[str]) -> str:
        body = ""
        while delimiters:
            delimiter = delimiters.pop(0)
            end = re.compile(rf"^[ \t]*{re.escape(delimiter)}[ \t]*\r?$", re.MULTILINE).search(self.text, self.at)
            if end is None:
                raise UnreadableError
            body = self.text[self.at : end.start()]
            self.at = end.end()
        return body


def _put(words: list[str], word: str | None) -> tuple[list[str], None]:
    if word is not None:
        words.append(word)
    return words, None
