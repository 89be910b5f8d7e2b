"""Names a wrapped server without a given name: by the package, script, module or image in its command.

A word of the command names the server only if its role is known: each runner has a table of its options. After an
option that is not in the table nothing is known, and the server gets the runner's own name. So no key, token or URL in
an option becomes a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final, Literal, NamedTuple

from mcpobs.masking import looks_secret

NAMELESS: Final = "server"
"""Name of a server whose program has a name that may be a secret."""

_VERSION = re.compile(r"(?<=.)(\[[^\]]*\])?(@[^/@]*|[=<>!~]=.*)?$")
_SUFFIX = re.compile(r"\.(pyz?|m?js|c?js|m?ts|c?ts|tsx|sh|bash|jar|rb|go|exe|dll|csproj|git|tgz|whl|phar)$")
_FIT = re.compile(
    r"[\w.\[*\udc80-\udcff][\w.@+ :\[\]*\udc80-\udcff-]{0,127}"
)  # a byte that is not UTF-8 is a surrogate
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git\+|[^/@]+@[^/:]+:", re.IGNORECASE)
_SOURCE = re.compile(r"(npm|jsr|pypi|github|gitlab|bitbucket|gist|file|link|workspace|node):")
_MAX_DEPTH = 8  # of nested runners

Kind = Literal["script", "package", "image", "command", "nothing"]
"""The kind of name in a runner's first word that is not an option."""


class Runner(NamedTuple):
    """Describes the command line of a program that runs others."""

    kind: Kind = "script"
    flags: frozenset[str] = frozenset()  # options without a value
    valued: frozenset[str] = frozenset()  # options with a value, as the next word, after `=`, or attached
    names: frozenset[str] = frozenset()  # options whose value names the server
    ends: frozenset[str] = frozenset()  # options after which no word is a name
    open: tuple[str, ...] = ()  # prefixes of options without a value that have too many forms to list
    commands: Mapping[str, Runner] = {}  # subcommands
    assigns: bool = False  # NAME=VALUE words come first


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PYTHON = Runner(
    flags=_words("-b -B -d -E -h -i -I -O -P -q -R -s -S -u -v -V -x"),
    valued=_words("-W -X --check-hash-based-pycs"),
    names=_words("-m"),
    ends=_words("-c -"),
)
_NODE = Runner(
    flags=_words(
        "-i --interactive --no-warnings --no-deprecation --trace-warnings --trace-deprecation --inspect "
        "--inspect-brk --enable-source-maps --experimental-strip-types --experimental-transform-types "
        "--experimental-vm-modules --experimental-modules --experimental-json-modules "
        "--experimental-wasm-modules --experimental-sqlite --preserve-symlinks --preserve-symlinks-main "
        "--expose-gc --trace-uncaught --use-system-ca --use-openssl-ca --watch --permission "
        "--no-experimental-fetch --harmony"
    ),
    valued=_words(
        "-r --require --import --loader --experimental-loader -C --conditions --env-file --env-file-if-exists "
        "--title --icu-data-dir --openssl-config --tls-cipher-list --max-old-space-size --stack-size "
        "--dns-result-order --unhandled-rejections --input-type --experimental-default-type --watch-path"
    ),
    ends=_words("-e --eval -p --print -pe - --run --test"),
)
_NODE_SCRIPT = _NODE._replace(
    flags=_NODE.flags
    | _words("--no-cache --clear-screen --esm --transpile-only -T --files --swc --cwd-mode --script-mode --pretty"),
    valued=_NODE.valued
    | _words("--tsconfig -P --project --ignore --include --exclude -O --compiler-options --compiler --cwd --dir"),
)
_TSX = _NODE_SCRIPT._replace(commands={"watch": _NODE_SCRIPT})
_NPM_FLAGS = _words(
    "-y --yes -q --quiet -s --silent --no --no-install --ignore-existing --prefer-online --prefer-offline "
    "--offline --no-audit --no-fund --no-update-notifier --legacy-peer-deps --force -f -d --verbose "
    "--foreground-scripts --ignore-scripts --if-present --workspaces --include-workspace-root --always-spawn"
)
_NPM_VALUES = _words(
    "--registry --cache --userconfig --globalconfig -w --workspace --loglevel --prefix -C --script-shell --shell "
    "--node-options -n --node-arg --omit --include --tag --npm"
)
_NPX = Runner("package", _NPM_FLAGS, _NPM_VALUES, names=_words("-p --package"), ends=_words("-c --call"))
_NPM_SCRIPT = Runner("script", _NPM_FLAGS, _NPM_VALUES)
_NOTHING = Runner("nothing")
_NPM = Runner(
    "nothing",
    _NPM_FLAGS,
    _NPM_VALUES,
    commands={"exec": _NPX, "x": _NPX, "run": _NPM_SCRIPT, "run-script": _NPM_SCRIPT},
)
_DLX_FLAGS = _NPM_FLAGS | _words("--allow-build --shell-mode -P --top-level -B --binaries-only --recursive -r")
_DLX_VALUES = _NPM_VALUES | _words("--dir --cwd --filter -F --reporter")
_DLX = Runner("package", _DLX_FLAGS - {"--allow-build"}, _DLX_VALUES | {"--allow-build"}, names=_words("-p --package"))
_NODE_EXEC = Runner("command", _DLX_FLAGS, _DLX_VALUES, ends=_words("-c --shell-mode"))
_PNPM = _NPM._replace(
    flags=_NPM_FLAGS,
    valued=_DLX_VALUES,
    commands={
        "dlx": _DLX,
        "exec": _NODE_EXEC,
        "node": _NODE,
        "run": Runner("script", _NPM_FLAGS, _DLX_VALUES),
        "run-script": Runner("script", _NPM_FLAGS, _DLX_VALUES),
    },
)
_BUN_FLAGS = _words(
    "--bun -b --watch --hot --smol --silent --no-install -i --no-clear-screen --prefer-offline --prefer-latest "
    "--inspect --inspect-wait --inspect-brk --if-present --no-env-file --no-addons --expose-gc --verbose "
    "--no-install"
)
_BUN_VALUES = _words(
    "-r --preload --require --import --cwd --env-file -c --config --install --tsconfig-override -d --define "
    "--conditions --jsx-factory --main-fields --extension-order --loader -l --port --filter -F --shell --title"
)
_BUNX = Runner("package", _BUN_FLAGS, _words("--package-dir"), names=_words("-p --package"))
_BUN_RUN = Runner("script", _BUN_FLAGS, _BUN_VALUES, ends=_words("-e --eval -p --print -"))
_BUN = _BUN_RUN._replace(commands={"run": _BUN_RUN, "x": _BUNX, **dict.fromkeys(("test", "build", "exec"), _NOTHING)})
_DENO_RUN = Runner(
    flags=_words(
        "-A --allow-all -R --allow-read -W --allow-write -N --allow-net -E --allow-env -S --allow-sys "
        "--allow-run --allow-ffi --allow-import -q --quiet --no-prompt --no-check --check --no-remote --no-npm "
        "--no-lock --no-config --cached-only --unstable --watch --inspect --inspect-brk --inspect-wait "
        "--node-modules-dir --reload --frozen --allow-hrtime --lock-write --no-clear-screen --env-file"
    ),
    valued=_words("-c --config --import-map --lock --cert -L --log-level --seed --location --v8-flags --ext --preload"),
    open=("--unstable-",),
    ends=_words("-"),
)
_DENO = Runner(
    "nothing", _words("-q --quiet"), _words("-L --log-level"), commands={"run": _DENO_RUN, "serve": _DENO_RUN}
)
_UV_FLAGS = _words(
    "--isolated -n --no-cache -q --quiet -v --verbose -U --upgrade --refresh --reinstall --offline --no-config "
    "--native-tls --no-native-tls --system-certs --no-progress --no-index --no-env-file --no-sources --no-build "
    "--no-binary --managed-python --no-managed-python --no-python-downloads --pre --compile-bytecode "
    "--no-compile --no-build-isolation --lfs --show-settings --no-preview --preview"
)
_UV_VALUES = _words(
    "--with --with-editable --with-requirements -w -p --python --index --default-index -i --index-url "
    "--extra-index-url -f --find-links --directory --project --config-file --cache-dir --env-file -c "
    "--constraints -b --build-constraints --overrides --excludes --exclude-newer --exclude-newer-package "
    "--link-mode -C --config-setting --config-settings-package --no-build-package --no-binary-package "
    "--no-build-isolation-package --no-sources-package --keyring-provider --allow-insecure-host --index-strategy "
    "--resolution --prerelease --fork-strategy --color -P --upgrade-package --reinstall-package "
    "--refresh-package --python-platform --python-preference --torch-backend --preview-features"
)
_UVX = Runner("package", _UV_FLAGS, _UV_VALUES, names=_words("--from"))
_UV_RUN = Runner(
    "command",
    _UV_FLAGS
    | _words(
        "--frozen --locked --no-sync --all-extras --dev --no-dev --only-dev --active --exact --all-groups "
        "--all-packages --no-project --no-editable --no-default-groups --no-active"
    ),
    _UV_VALUES | _words("--extra --no-extra --group --only-group --no-group --package -w"),
    names=_words("-m --module -s --script --gui-script"),
    ends=_words("-"),
)
_UV = Runner(
    "nothing",
    _UV_FLAGS,
    _UV_VALUES,
    commands={"run": _UV_RUN, "x": _UVX, "tool": Runner("nothing", _UV_FLAGS, _UV_VALUES, commands={"run": _UVX})},
)
_PIPX = Runner(
    "nothing",
    _words("-q --quiet -v --verbose --global"),
    commands={
        "run": Runner(
            "package",
            _words(
                "--no-cache --path --pypackages -q --quiet -v --verbose --system-site-packages --fetch-missing-python"
            ),
            _words("--python --pip-args -i --index-url --with --backend --fetch-python"),
            names=_words("--spec"),
        )
    },
)
_SHELL = Runner(
    flags=_words("-e -u -x -v -f -n -i -l -a -b -h -k -m -p -t -B -C -E -H -P -T --login --noprofile --norc --posix"),
    valued=_words("-o -O --rcfile --init-file"),
    ends=_words("-c -s -"),
)
_ENV = Runner(
    "command",
    _words("-i --ignore-environment -v --debug -0 --null -"),
    _words("-u --unset -C --chdir -P"),
    ends=_words("-S --split-string"),
    assigns=True,
)
_JAVA = Runner(
    flags=_words(
        "-server -client -ea -enableassertions -da -disableassertions -esa -dsa --enable-preview -showversion"
    ),
    valued=_words(
        "-cp -classpath --class-path -p --module-path --upgrade-module-path --add-modules --add-opens "
        "--add-exports --add-reads --enable-native-access --limit-modules --patch-module"
    ),
    names=_words("-jar -m --module"),
    open=("-D", "-X", "-ea:", "-da:", "-agentlib:", "-agentpath:", "-javaagent:", "-verbose", "-splash:"),
)
_RUBY = Runner(
    flags=_words("-w -W -v -d -s -S -T -U --jit --yjit --disable-gems --enable-frozen-string-literal"),
    valued=_words("-I -r -C -E -K --encoding --external-encoding"),
    ends=_words("-e -"),
)
_GO = Runner(
    "nothing",
    commands={
        "run": Runner(
            "package",
            _words("-a -n -race -msan -asan -cover -v -work -x -trimpath -modcacherw -linkshared -buildvcs"),
            _words(
                "-C -exec -p -tags -ldflags -gcflags -asmflags -mod -modfile -overlay -o -buildmode -compiler "
                "-pkgdir -toolexec -pgo -covermode -coverpkg"
            ),
        ),
    },
)
_DOTNET_RUN = Runner(
    "nothing",
    _words("--no-build --no-restore --no-launch-profile --no-dependencies --force --interactive --self-contained --sc"),
    _words("-c --configuration -f --framework -r --runtime -a --arch --os -v --verbosity --launch-profile -lp -e"),
    names=_words("--project --file"),
)
_DNX = Runner(
    "package",
    _words("-y --yes --prerelease --allow-roll-forward --interactive --ignore-failed-sources"),
    _words("--version --configfile --source --add-source --framework -v --verbosity"),
)
_DOTNET = Runner(
    "script",
    _words("-d --diagnostics --roll-forward-on-no-candidate-fx"),
    _words("--additionalprobingpath --depsfile --runtimeconfig --roll-forward --fx-version --additional-deps"),
    commands={
        "run": _DOTNET_RUN,
        "exec": Runner(),
        "tool": Runner("nothing", commands={"run": Runner("package"), "exec": _DNX}),
        **dict.fromkeys(("build", "watch", "test", "publish", "restore", "new", "msbuild"), _NOTHING),
    },
)
_CONTAINER_FLAGS = _words(
    "-i --interactive -t --tty -d --detach --rm --init --privileged --read-only -P --publish-all -q --quiet "
    "--no-healthcheck --oom-kill-disable --disable-content-trust --sig-proxy --use-api-socket --no-hosts "
    "--tls-verify"
)
_CONTAINER_VALUES = _words(
    "-e --env --env-file -v --volume --volumes-from --volume-driver --mount --tmpfs -p --publish --expose --name "
    "--network --net --network-alias --net-alias --link --ip --ip6 --dns --dns-option --dns-search --add-host -h "
    "--hostname --domainname --mac-address -w --workdir -u --user --group-add --entrypoint -l --label "
    "--label-file --annotation -m --memory --memory-swap --memory-reservation --memory-swappiness "
    "--kernel-memory -c --cpu-shares --cpus --cpu-period --cpu-quota --cpuset-cpus --cpuset-mems --pids-limit "
    "--shm-size --ulimit --platform --pull --restart --gpus --device --device-cgroup-rule --cap-add --cap-drop "
    "--security-opt --log-driver --log-opt --pid --ipc --uts --userns --cgroupns --cgroup-parent --cidfile "
    "--runtime --isolation --stop-signal --stop-timeout --storage-opt --sysctl --detach-keys -a --attach "
    "--blkio-weight --oom-score-adj --health-cmd --health-interval --health-retries --health-timeout "
    "--health-start-period --arch --os --variant --secret --pod --authfile --creds --arch --gpus --env-merge "
    "--tz --systemd"
)
_CONTAINER_RUN = Runner("image", _CONTAINER_FLAGS, _CONTAINER_VALUES)
_CONTAINER_EXEC = Runner("script", _CONTAINER_FLAGS, _CONTAINER_VALUES)
_CONTAINER_COMMANDS = {"run": _CONTAINER_RUN, "exec": _CONTAINER_EXEC}
_DOCKER = Runner(
    "nothing",
    _words("-D --debug --tls --tlsverify --remote -r"),
    _words("-c --context -H --host --config -l --log-level --tlscacert --tlscert --tlskey --url --connection --root"),
    commands={**_CONTAINER_COMMANDS, "container": Runner("nothing", commands=_CONTAINER_COMMANDS)},
)

_RUNNERS: Final[Mapping[str, Runner]] = {
    name: runner
    for names, runner in (
        ("python pythonw pypy py", _PYTHON),
        ("node nodejs", _NODE),
        ("tsx ts-node ts-node-esm ts-node-script ts-node-transpile-only", _TSX),
        ("npx", _NPX),
        ("npm", _NPM),
        ("pnpm yarn", _PNPM),
        ("pnpx", _DLX),
        ("bunx", _BUNX),
        ("bun", _BUN),
        ("deno", _DENO),
        ("uvx", _UVX),
        ("uv", _UV),
        ("pipx", _PIPX),
        ("sh bash zsh dash ksh ash fish", _SHELL),
        ("env", _ENV),
        ("java", _JAVA),
        ("ruby", _RUBY),
        ("go", _GO),
        ("dotnet", _DOTNET),
        ("dnx", _DNX),
        ("docker podman nerdctl finch", _DOCKER),
    )
    for name in names.split()
}


def service_name(command: Sequence[str], given: str | None, env: Mapping[str, str]) -> str:
    """Returns `--name`, else OTEL_SERVICE_NAME, else service.name of OTEL_RESOURCE_ATTRIBUTES, else a name from the
    command.

    `npx -y @modelcontextprotocol/server-filesystem /data` is server-filesystem, `python -m mcp_server_git` is
    mcp_server_git, `node dist/index.js` is index.
    """
    # An argument that is not UTF-8 contains surrogates, which JSON cannot hold.
    return _chosen(command, given, env).encode(errors="replace").decode()


def _chosen(command: Sequence[str], given: str | None, env: Mapping[str, str]) -> str:
    if given:
        return given
    if env.get("OTEL_SERVICE_NAME"):
        return env["OTEL_SERVICE_NAME"]
    for pair in env.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, _, value = pair.partition("=")
        if key.strip() == "service.name" and value.strip():
            from urllib.parse import unquote  # 7 ms

            return unquote(value.strip())
    return _of_command(command, 0) or NAMELESS


def _of_command(command: Sequence[str], depth: int) -> str | None:
    """Returns the name of the program that the command runs; the command's own program if that is unknown; None if it
    may be a secret."""
    program = _of_path(command[0])
    runner = _runner(program)
    if runner is None or depth >= _MAX_DEPTH:
        return program
    return _run_by(runner, command[1:], depth) or program


def _runner(program: str | None) -> Runner | None:
    """Finds a runner by its name, with or without a version: python3.12 is python."""
    return None if program is None else _RUNNERS.get(program.rstrip(".0123456789"))


def _run_by(runner: Runner, words: Sequence[str], depth: int) -> str | None:
    """Returns the name of a runner's target, given the words after the runner; None if no word is known to name it."""
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            at += 1
            break
        if word.startswith("-"):
            step = _option(runner, word)
            if step is None or (step == "" and at + 1 >= len(words)):
                return None
            if isinstance(step, str):
                return _of_source(step or words[at + 1])
            at += step
        elif runner.assigns and "=" in word:
            at += 1
        else:
            break
    if at >= len(words):
        return None
    sub = runner.commands.get(words[at])
    if sub is not None:
        return _run_by(sub, words[at + 1 :], depth)
    if runner.kind == "command":
        return _of_command(words[at:], depth + 1)
    return _named(runner, words[at], words[at + 1 :], depth)


def _option(runner: Runner, word: str) -> int | str | None:
    """Returns how many words an option takes; the name that it carries ("" for the next word); None if unknown."""
    name, equals, value = word.partition("=")
    if name in runner.ends:
        return None
    if name in runner.names:
        return value if equals else ""
    if word in runner.flags:
        return 1
    if name in runner.valued:
        return 1 if equals else 2
    if word.startswith(runner.open) and runner.open:
        return 1
    if word.startswith("--"):
        return 1 if equals else None  # its value is attached
    found = _cluster(runner, word)
    return 1 if found is None and equals and len(name) > 2 else found


def _cluster(runner: Runner, word: str) -> int | str | None:
    """Returns the same for a word of several one-letter options, the last of which may have its value attached."""
    for place in range(1, len(word)):
        option, rest = f"-{word[place]}", word[place + 1 :]
        if option in runner.ends:
            return None
        if option in runner.names:
            return rest.removeprefix("=")
        if option in runner.valued:
            return 1 if rest else 2
        if option not in runner.flags:
            return None
    return 1


def _named(runner: Runner, word: str, rest: Sequence[str], depth: int) -> str | None:
    match runner.kind:
        case "image":
            return _of_image(word)
        case "nothing":
            return None
        case "package":
            found = _of_package(word)
            inner = _runner(found)
            if inner is not None and found is not None and not _REMOTE.match(word):  # `npx tsx server.ts`
                return _of_command((found, *rest), depth + 1)
            return found
    return _of_source(word)


def _of_source(word: str) -> str | None:
    """Names a script or module by its path, its URL, or as a package."""
    return _of_package(word) if _REMOTE.match(word) or _SOURCE.match(word) else _of_path(word)


def _of_package(spec: str) -> str | None:
    """Returns the name of a package, which may have a registry, version or URL."""
    if _REMOTE.match(spec):
        _, _, place = spec.partition("://")
        path = (place or spec).partition("#")[0].partition("?")[0]
        _, slash, path = path.partition("/")
        return _of_path(path.rstrip("/")) if slash and path.strip("/") else None
    return _of_path(_SOURCE.sub("", spec).partition("#")[0])


def _of_image(reference: str) -> str | None:
    """Returns the last part of an image, e.g. of registry.example/team/server:1.2@sha256:…, without tag and digest."""
    return _of_path(reference.partition("@")[0].rpartition("/")[2].partition(":")[0])


def _of_path(word: str) -> str | None:
    """Returns the last part of a path or package name, without version and suffix; None if it may be a secret."""
    if "://" in word:
        return None
    name = _SUFFIX.sub("", PurePath(_VERSION.sub("", word)).name)
    return name if _FIT.fullmatch(name) and not looks_secret(name) else None
