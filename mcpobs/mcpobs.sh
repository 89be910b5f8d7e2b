#!/bin/sh
# Starts mcpobs with an interpreter that ignores the environment, which belongs to the observed server.
#
# Installed as `mcpobs`. The script `mcpobs-python` beside it, which the installer writes, names the interpreter.
# PYTHONHOME would end that interpreter before any of our code runs, and LD_LIBRARY_PATH may lead it to a foreign
# libpython. `mcpobs/inherited.py` gives the server the environment that this script got.
me=$0
case $me in */*) ;; *) me=$(command -v -- "$me") ;; esac
while [ -L "$me" ]; do
    link=$(command -p readlink "$me") || break
    case $link in /*) me=$link ;; *) me=${me%/*}/$link ;; esac
done
here=${me%/*}
IFS= read -r python < "$here/mcpobs-python" || { echo "mcpobs: error: $here/mcpobs-python is missing
hint: install mcpobs-otel again" >&2; exit 2; }
python=${python#??}
case $python in
*python*) ;;
*) # a path that is too long or has a space: '''exec' "/the path/python" "$0" "$@"
    { read -r _; IFS= read -r python; } < "$here/mcpobs-python"
    python=${python#"'''exec' "}
    python=${python%' "$0" "$@"'}
    python=${python#[\"\']}
    python=${python%[\"\']} ;;
esac
isolated=-E
[ -f "$here/../mcpobs/__main__.py" ] && isolated=-P # pip install --target: PYTHONPATH leads to it

{
    if [ -r "/proc/$$/environ" ]; then
        MCPOBS_INHERITED=$(command -p base64 "/proc/$$/environ")
    else # macOS
        MCPOBS_INHERITED=$(command -p env -0 | command -p base64)
    fi
} 2> /dev/null
if [ -n "$MCPOBS_INHERITED" ] && [ ${#MCPOBS_INHERITED} -lt 130000 ]; then # Linux takes strings of up to 128 KiB
    export MCPOBS_INHERITED
    unset LD_LIBRARY_PATH LD_PRELOAD LD_AUDIT PYTHONEXECUTABLE __PYVENV_LAUNCHER__ # -E does not cover these
else
    unset MCPOBS_INHERITED
fi
[ -x "$python" ] || python=$here/python3
exec "$python" "$isolated" -P -c 'import sys; del sys.argv[0]; from mcpobs.__main__ import main; main()' "$0" "$@"
