"""What is kept of a value in place of its content: keyed digest, shape, size, features. Never the content itself.

Equal JSON values have equal digests, whatever their key order, spacing and escapes; without the key a digest
cannot be tried out against a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING

from mcpobs.protocol import stable
from mcpobs.protocol.answer import is_true
from mcpobs.protocol.canonical import canonical
from mcpobs.protocol.declared import Declared
from mcpobs.protocol.decode import Opaque
from mcpobs.protocol.failure import text_of_error, text_of_result
from mcpobs.protocol.features import features_of, features_of_flat
from mcpobs.protocol.layout import Layouts
from mcpobs.protocol.operation import ValueFacts
from mcpobs.protocol.result import read_result
from mcpobs.protocol.shape import shape_of, shortened

if TYPE_CHECKING:
    from mcpobs.prices.rule import Measured, Rule
    from mcpobs.settings import ErrorTexts

DIGEST_BYTES = 8
MAX_KNOWN_KEYS = 4_096
MAX_KNOWN_KEY = 64
MAX_QUESTIONS = 4_096


class Facts:
    """Takes the facts of arguments and results under one key. Holds nothing of them but names of members.

    `price` gives a tool's rule, which may need more of a result. `error_texts` says whether failures have a text.
    """

    def __init__(
        self,
        key: bytes,
        price: Callable[[str], Rule | None] | None = None,
        error_texts: ErrorTexts = "off",
    ) -> None:
        self._price = price
        self._error_texts: ErrorTexts = error_texts
        self.asks_for_prices = price is not None
        fit = key if len(key) <= 64 else blake2b(key).digest()
        self._value = blake2b(key=fit, digest_size=DIGEST_BYTES, person=b"value")
        self._text = blake2b(key=fit, digest_size=DIGEST_BYTES, person=b"text")
        self._known_keys: dict[str, str] = {}
        self._questions: set[tuple[str | None, ...]] = set()
        self._layouts = Layouts(self._shape, self._shown)

    def arguments(self, value: object, schema: Declared | None) -> tuple[ValueFacts, str | None]:
        """Facts and features (JSON) of a request's arguments; `size_bytes` is that of compact JSON.

        Arguments that could not be decoded have their size only.
        """
        if isinstance(value, Opaque):
            return ValueFacts(None, None, len(value.raw)), None
        text, size = canonical(value)
        if isinstance(value, dict) and (layout := self._layouts.of(value, schema)) is not None:
            shape, features = layout.shape, features_of_flat(layout.names, value)
        else:
            shape, features = self._shape(value, schema), features_of(value, self._shown(schema))
        return ValueFacts(self._digest(text), shape, size, stable=self._stable(stable.arguments(value))), features

    def params(self, params: dict[str, object]) -> tuple[ValueFacts, None]:
        """Facts of the params of a request without arguments, such as a page of a list: digest and size."""
        asked = {name: value for name, value in params.items() if name != "_meta"}
        if Opaque in map(type, asked.values()):
            return ValueFacts(None, None, 0), None
        text, size = canonical(asked)
        return ValueFacts(self._digest(text), None, size, stable=self._stable(stable.arguments(asked))), None

    def asks_again(self, method: str, target: str | None, arguments: ValueFacts | None) -> bool:
        """Whether this was asked shortly before, in any session; remembers that it is asked now."""
        if arguments is None:
            return False
        question = method, target, arguments.stable or arguments.digest
        if question in self._questions:
            return True
        if len(self._questions) >= MAX_QUESTIONS:
            self._questions.clear()
        self._questions.add(question)
        return False

    def result(
        self, result: object, size_bytes: int | None = None, *, again: bool = False
    ) -> tuple[ValueFacts, int | None, bool | None]:
        """Facts, number of items, and emptiness of a result; its top-level `_meta` counts for none of them.

        Its volatile parts are looked for in an error, and if the question is asked `again`: elsewhere nothing is
        compared with it.

        `size_bytes` is the size as it was sent; without it the size is that of compact JSON without `_meta`.
        """
        if isinstance(result, Opaque):
            return ValueFacts(None, None, size_bytes or len(result.raw)), None, None
        if isinstance(result, dict):
            if Opaque in map(type, result.values()):
                return ValueFacts(None, None, size_bytes or 0), None, None
            if "_meta" in result:
                result = result.copy()
                del result["_meta"]
        text, size = canonical(result)
        shape, items, empty, form = read_result(result, self._hash_key)
        if isinstance(result, dict) and is_true(result.get("isError")):
            empty, form, again = False, None, True
        facts = ValueFacts(
            self._digest(text),
            shortened(shape, self.text_digest),
            size if size_bytes is None else size_bytes,
            form,
            self._stable(stable.result(text)) if again else None,
        )
        return facts, items, empty

    def measured(self, tool: str | None, result: object) -> Measured | None:
        """What a result says of its cost; None if the tool's price does not need it."""
        if self._price is None or tool is None:
            return None
        rule = self._price(tool)
        if rule is None or not rule.looks:
            return None
        from mcpobs.protocol.measures import measure  # with the prices, which most do without

        return measure(rule, result)

    def error(self, error: object, size_bytes: int | None = None) -> ValueFacts:
        """Facts of a JSON-RPC error: equal code and message have equal digests, whatever its data says."""
        size = size_bytes or canonical(error)[1]
        parts = [error.get("code"), error.get("message")] if isinstance(error, dict) else [error]
        if any(isinstance(part, Opaque) for part in parts):
            return ValueFacts(None, None, size)
        text = canonical(parts)[0]
        return ValueFacts(self._digest(text), None, size, stable=self._stable(stable.result(text)))

    def failed_result(self, result: object) -> str | None:
        """The text of an `isError` result, if such texts are recorded."""
        return None if self._error_texts == "off" else self.failure(text_of_result(result))

    def failed_request(self, error: object) -> str | None:
        """The text of a JSON-RPC error, if such texts are recorded."""
        return None if self._error_texts == "off" else self.failure(text_of_error(error))

    def failure(self, text: object) -> str | None:
        """The line of a failure's text that is recorded. Anything that fails here leaves the failure without a text."""
        if self._error_texts == "off" or text is None:
            return None
        try:
            from mcpobs.detect.errors import recorded_line  # at the first failure

            return recorded_line(str(text), self._error_texts)
        except Exception:  # a text that could not be masked must not be recorded
            return None

    def text_digest(self, text: str) -> str:
        """Keyed digest of a text, 16 hex digits."""
        digest = self._text.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def _shape(self, value: object, schema: Declared | None) -> str:
        return shortened(shape_of(value, schema, self._hash_key), self.text_digest)

    def _shown(self, schema: Declared | None) -> Callable[[str], str]:
        """How a member's name is recorded: as it is if it is declared, else as its hash."""
        declared = schema.members if schema else {}

        def shown(name: str) -> str:
            # A name with one of these would have to be escaped in JSON.
            return name if name in declared and '"' not in name and "\\" not in name else self._hash_key(name)

        return shown

    def _stable(self, text: bytes | None) -> str | None:
        return None if text is None else self._digest(text)

    def _digest(self, text: bytes) -> str:
        digest = self._value.copy()
        digest.update(text)
        return digest.hexdigest()

    def _hash_key(self, name: str) -> str:
        """The record of a member name that is not declared: `#` and six hex digits."""
        known = self._known_keys.get(name)
        if known is None:
            known = "#" + self.text_digest(name)[:6]
            if len(name) <= MAX_KNOWN_KEY:
                if len(self._known_keys) >= MAX_KNOWN_KEYS:
                    self._known_keys.clear()
                self._known_keys[name] = known
        return known
