"""Answers that do harm where they are taken for something else than text."""

TEXTS = {
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "ansi": "\x1b[31mred\x1b[0m \x9b2J",
    "control": "nul \x00, bell \x07, break \r\n, delete \x7f",
    "direction": "\u202ekcab\u202c \u2066x\u2069",
    "separators": "one\u2028two\u2029three\x85four",
    "half a pair": "half \ud83d, and \udc4d",
    "astral": "\U0001f600 \U000e0041",
    "json": '"}, "value": 1, {"\\u0041',
    "empty": "",
}
