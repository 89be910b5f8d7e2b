"""Plans the change that `init` makes to one configuration: its new bytes, and the action for each server. Writes
nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from mcpobs.errors import UsageError
from mcpobs.setup import masking, wrapping
from mcpobs.setup.backups import Backup
from mcpobs.setup.clients import Client, Place
from mcpobs.setup.document import Change, Document, Entry, Tree, Where, replaced, string, strings
from mcpobs.setup.files import Source
from mcpobs.setup.json_document import JsonDocument
from mcpobs.setup.located import Edit, MalformedError, edited
from mcpobs.setup.toml_document import TomlDocument
from mcpobs.setup.wrapping import Front

State = Literal["wrap", "unwrap", "wrapped", "left"]
"""`wrap` and `unwrap` change the server · `wrapped` already runs through mcpobs · `left` stays unchanged: see `why`."""

_URLS = ("url", "serverUrl", "httpUrl")


@dataclass(frozen=True, slots=True)
class Server:
    """The action for a server. `words` is its own command, without mcpobs."""

    where: Where
    state: State
    words: tuple[str, ...] = ()
    why: str | None = None
    hint: str | None = None

    @property
    def name(self) -> str:
        return self.where[-1]


@dataclass(frozen=True, slots=True)
class Plan:
    """The change of a configuration. `before` and `after` are texts to show, with the servers' secrets hidden."""

    place: Place
    source: Source
    content: bytes
    servers: tuple[Server, ...]
    before: str
    after: str

    @property
    def changes(self) -> bool:
        return self.content != self.source.content


def open_document(source: Source, client: Client) -> Document:
    """Parses a configuration. Raises UsageError if it is not in its format."""
    try:
        text = source.content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{source.path} is not UTF-8: byte {error.start + 1}", "save it as UTF-8; it was not changed"
        ) from None
    try:
        return TomlDocument.parse(text) if client.form == "toml" else JsonDocument.parse(text, client.layouts)
    except MalformedError as error:
        form = client.form.upper()
        raise UsageError(
            f"{source.path} is not valid {form}: {error}", "correct that place; it was not changed"
        ) from None


def wrap(place: Place, source: Source, front: Front, only: Collection[str]) -> Plan:
    """Plans mcpobs in front of every stdio server, or of the named ones."""
    document = open_document(source, place.client)
    edits: list[Edit] = []
    servers: list[Server] = []
    changes: dict[Where, Change] = {}
    for entry in document.entries(place.client.layouts):
        if only and entry.name not in only:
            continue
        server, own = _wrap(document, entry, front)
        servers.append(server)
        if own:
            edits += own
            changes[entry.command_in] = _change(entry, [*front.words(entry.name), *server.words])
    return _plan(place, source, document, edits, servers, replaced(document.tree(), changes))


def _change(entry: Entry, words: list[str], *, keeps_args: bool = True) -> Change:
    if entry.is_listed:
        return Change(strings(words), None)
    key = "path" if entry.is_nested else "command"
    return Change(string(words[0]), strings(words[1:]) if keeps_args else None, key)


def _wrap(document: Document, entry: Entry, front: Front) -> tuple[Server, list[Edit]]:
    words = tuple(entry.words())
    if wrapping.runs_through_mcpobs(entry):
        return Server(entry.where, "wrapped", words), []
    remote = remote_url(entry)
    if remote is not None:
        return Server(entry.where, "left", why="it is reached by HTTP", hint=_front_of(remote)), []
    why = wrapping.objection(entry)
    edits = None if why else wrapping.wrap(document, entry, front)
    if edits is None:
        return Server(entry.where, "left", words, why or "no edit can add its args"), []
    return Server(entry.where, "wrap", words), edits


def unwrap(place: Place, source: Source, only: Collection[str], backup: Backup | None) -> Plan:
    """Plans the removal of mcpobs where `init` put it: restores the original bytes if the file is unchanged since, else
    edits the servers in the current text."""
    document = open_document(source, place.client)
    original = None
    if backup is not None:
        original = open_document(_with(source, backup.content), place.client)
    before = {e.where: e for e in original.entries(place.client.layouts)} if original is not None else {}
    edits: list[Edit] = []
    servers: list[Server] = []
    changes: dict[Where, Change] = {}
    for entry in document.entries(place.client.layouts):
        if only and entry.name not in only:
            continue
        at = None if entry.repeated else wrapping.own_command(entry)
        if at is None:
            why = "init did not put mcpobs in front" if wrapping.runs_through_mcpobs(entry) else None
            servers.append(Server(entry.where, "left", tuple(entry.words()), why))
            continue
        was = before.get(entry.where)
        had_args = was is None or was.value("args") is not None
        own = wrapping.unwrap(document, entry, had_args)
        words = tuple(entry.words()[at:])
        servers.append(Server(entry.where, "unwrap", words))
        edits += own
        # If its args are removed too, one edit removes them whole; the other edit shortens the list.
        gone = not entry.is_listed and len(words) == 1 and not had_args and document.drop_args(entry) in own
        changes[entry.command_in] = _change(entry, list(words), keeps_args=not gone)
    plan = _plan(place, source, document, edits, servers, replaced(document.tree(), changes))
    if backup is None or only or not backup.untouched(source.content):
        return plan
    return _restored(plan, backup, original)


def _restored(plan: Plan, backup: Backup, original: Document | None) -> Plan:
    """Returns the plan with the bytes of the backup, which may hold servers wrapped earlier."""
    if original is None or any(wrapping.own_command(e) for e in original.entries(plan.place.client.layouts)):
        return plan
    after = _shown(original, plan.place.client)
    return Plan(plan.place, plan.source, backup.content, plan.servers, plan.before, after)


def _plan(
    place: Place,
    source: Source,
    document: Document,
    edits: list[Edit],
    servers: list[Server],
    expected: Tree,
) -> Plan:
    text = edited(document.text, edits)
    content = text.encode()
    after = open_document(_with(source, content), place.client)
    if after.tree() != expected:  # the edits and the parsers disagree: our fault, and it must not lose a key
        raise UsageError(f"{source.path} cannot be changed safely", "it was not changed; put mcpobs in front by hand")
    shown = _shown(document, place.client)
    return Plan(place, source, content, tuple(servers), shown, _shown(after, place.client))


def _with(source: Source, content: bytes) -> Source:
    return Source(source.path, source.target, content, source.mode, source.owner)


def remote_url(entry: Entry) -> str | None:
    """Returns the URL of a server that is reached by HTTP, masked for display; None for any other server."""
    kind = entry.text("type") or entry.text("transport")
    url = next((entry.text(key) for key in _URLS if entry.text(key) is not None), None)
    if url is None:
        return "http://HOST/PATH" if kind in wrapping.REMOTE and entry.value("command") is None else None
    if entry.value("command") is not None and kind not in wrapping.REMOTE:
        return None
    return masking.url(url)


def _front_of(url: str) -> str:
    """Returns the hint for a server that is reached by HTTP: the front replaces its origin and keeps its path."""
    scheme, separator, rest = url.rstrip(masking.HIDDEN).partition("://")
    if not separator:
        scheme, rest = "https", "HOST/PATH"
    place, slash, path = rest.partition("/")
    if url.endswith(f"/{masking.HIDDEN}"):
        path = "ITS-PATH"
    command = f"mcpobs instrument --listen 127.0.0.1:PORT --upstream {scheme}://{place}"
    return f"{command}    and in here: http://127.0.0.1:PORT{slash}{path}"


def _shown(document: Document, client: Client) -> str:
    """Returns the text for a screen: keys, commands, our own words and names of options; `…` for every other value."""
    plain: dict[tuple[int, int], str] = {}
    for entry in document.entries(client.layouts):
        plain |= _plain(entry)
    edits = []
    for node in document.leaves():
        if node.kind == "string":
            text = plain.get((node.start, node.end), masking.HIDDEN)
            shown = document.text[node.start : node.end] if text == node.value else document.quoted(text)
        elif node.kind == "skipped":
            shown = masking.skipped(document.text[node.start : node.end])
        else:
            shown = masking.literal(node.value)
        edits.append(Edit(node.start, node.end, shown))
    edits += [Edit(*comment) for comment in document.comments()]
    return edited(document.text, edits)


def _plain(entry: Entry) -> dict[tuple[int, int], str]:
    """Returns the text to show for the values of a server, by their places."""
    found: dict[tuple[int, int], str] = {}
    for field in entry.fields:
        node = field.node
        if node.kind != "string":
            continue
        if field.key in _URLS:
            found[node.start, node.end] = masking.url(node.value)
        elif field.key in ("type", "transport"):
            found[node.start, node.end] = masking.kind(node.value)
    words = entry.words()
    if words:
        nodes = entry.nodes()
        shown = masking.words(words, wrapping.own_command(entry) or 0)
        found |= {(node.start, node.end): text for node, text in zip(nodes, shown, strict=True)}
    elif (command := entry.value("command")) is not None and command.kind == "string":
        found[command.start, command.end] = masking.command(command.value)
    return found
