"""Starts a program in a state that a launcher may leave it in.

    python launch.py STATE... -- COMMAND...

blocked: SIGTERM and SIGUSR1 blocked · orphaning: SIGCHLD ignored · nohup: SIGHUP ignored · background: SIGINT and
SIGQUIT ignored · deaf: SIGALRM, SIGTSTP, SIGWINCH and SIGCONT ignored · terminal: stdin is the terminal of its session
"""

import fcntl
import os
import signal
import sys
import termios


def main() -> None:
    end = sys.argv.index("--")
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # as the shell would have left them to Python
        signal.signal(number, signal.SIG_DFL)
    for state in sys.argv[1:end]:
        match state:
            case "blocked":
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
            case "orphaning":
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            case "nohup":
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            case "background":
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGQUIT, signal.SIG_IGN)
            case "deaf":
                for number in (signal.SIGALRM, signal.SIGTSTP, signal.SIGWINCH, signal.SIGCONT):
                    signal.signal(number, signal.SIG_IGN)
            case "terminal":
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
                signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` may run the tests
            case _:
                sys.exit(f"unknown state {state}")
    os.execvp(sys.argv[end + 1], sys.argv[end + 1 :])


if __name__ == "__main__":
    main()
