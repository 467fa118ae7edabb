"""Keep secrets out of what is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

#: Shorter ones would take ordinary words out of a text; in URLs they are replaced all the same.
_SHORTEST = 4

_GENERIC = (
    (re.compile(r"(?<=://)[^/\s@'\"]+(?=@)"), "***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[-\w.~+/]{12,}=*"), r"\1 ***"),
    (re.compile(r"\beyJ[-\w]{10,}\.[-\w]{10,}\.[-\w]*"), "***"),
)

#: What may be a credential in a text of which nothing is known: what stands before an @, headers that carry some, the
#: values of keys that are named so, and long words that no host name and no request's id looks like.
_FOREIGN = (
    (re.compile(r"(?<![^\s/@'\"=])[^\s/@'\"=:]+:[^\s/@'\"]+(?=@)"), "***"),
    (re.compile(r"(?i)\b(basic|bearer|digest|negotiate|ntlm|sharedkey(?:lite)?)\s+\S+"), r"\1 ***"),
    (re.compile(r"(?i)((?:authorization|cookie)[\"']?\s*[=:]\s*[\"']?)[^\"']+"), r"\1***"),
    (
        re.compile(
            r"(?i)([\w.-]{0,40}(?:passw(?:or)?d|passwd|pwd|secret|token|api[-_]?key|account[-_]?key|credentials?|"
            r"\bsig|signature)[\w-]{0,40}[\"']?\s*[=:]\s*)(?:\"[^\"]*\"?|'[^']*'?|[^\s,;&}\"']+)"
        ),
        r"\1***",
    ),
    (re.compile(r"(?<![\w.-])(?=[^\s]*\d)[A-Za-z0-9+/_=-]{40,}(?![\w.-])"), "***"),
)


class Redactor:
    """Replaces known secrets, and what looks like one, with `***`.

    Args:
        secrets: exact values; their percent-encoded forms are replaced as well.
    """

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        forms = {
            form
            for secret in secrets
            if secret and len(secret) >= _SHORTEST
            for form in (secret, quote(secret, safe=""), quote(secret))
        }
        self._known = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None

    def __call__(self, text: str) -> str:
        """The text without its secrets."""
        if self._known is not None:
            text = self._known.sub("***", text)
        for pattern, replacement in _GENERIC:
            text = pattern.sub(replacement, text)
        return text


def foreign(text: str) -> str:
    """A text that somebody else's program wrote, without what may be a credential: rather too little than too much."""
    for pattern, replacement in _FOREIGN:
        text = pattern.sub(replacement, text)
    return text
