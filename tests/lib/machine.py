# SPDX-License-Identifier: Apache-2.0
"""A machine of its own with a real systemd as pid 1: a container from tests/lib/systemd_root. Root only.

    with Machine() as machine:
        machine.install(program)                  # with the libraries it needs, as /usr/bin/<name>
        machine.run("systemctl", "is-active", "x.service").stdout
        machine.path("srv/file").write_text(...)  # its file system, seen from outside
"""
import os
import pathlib
import shutil
import signal
import subprocess

import git_servers

LIB = pathlib.Path(__file__).resolve().parent


def libraries(program):
    """The shared objects that a program is linked with."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    words = [word for line in listed.splitlines() for word in line.split()[:3]]
    return sorted({word for word in words if word.startswith("/")})


class Machine:
    def __enter__(self):
        self.holder = git_servers.folder()
        self.root = pathlib.Path(self.holder.__enter__()) / "root"
        made = subprocess.run([LIB / "systemd_root"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        subprocess.run(["cp", "-a", "--reflink=auto", made, self.root], check=True)
        self.console = open(self.root.parent / "console", "wb+")
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "-D", self.root, "-M", f"styrmin-test-{os.getpid()}", "--register=no", "--keep-unit",
             "--settings=no", "--private-network", "-b", "--console=pipe"],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console, start_new_session=True)
        try:
            git_servers.wait_until(self.is_up, "systemd", 60)
        except TimeoutError:
            said = (self.root.parent / "console").read_text(errors="replace")
            self.__exit__()
            raise RuntimeError(f"systemd did not start:\n{said}") from None
        return self

    def __exit__(self, *error):
        leader = self.leader()
        if leader:
            os.kill(leader, signal.SIGKILL)
        try:
            self.nspawn.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()
        self.console.close()
        return self.holder.__exit__(*error)

    def leader(self):
        """Pid of its systemd; None: there is none."""
        try:
            children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def is_up(self):
        if self.nspawn.poll() is not None:
            raise RuntimeError("systemd-nspawn ended:\n" + (self.root.parent / "console").read_text(errors="replace"))
        if not self.leader():
            return False
        state = self.run("systemctl", "is-system-running", code=None).stdout.strip()
        return state in ("running", "degraded")

    def path(self, path):
        return self.root / str(path).lstrip("/")

    def install(self, program, name=None):
        """Copy a program of this machine, and those of its libraries that are not there."""
        target = self.path("usr/bin") / (name or pathlib.Path(program).name)
        shutil.copy(program, target)
        for library in libraries(program):
            place = self.path(library)
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(os.path.realpath(library), place)
        return target

    def install_git(self):
        """What fetches and pushes from and to a folder; no package, so that the machine stays small."""
        self.install(shutil.which("git"), "git")
        for name in ("git-upload-pack", "git-receive-pack"):
            self.path(f"usr/bin/{name}").symlink_to("git")
        place = self.path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True,
                                         check=True).stdout.strip())
        place.mkdir(parents=True, exist_ok=True)
        (place / "git").symlink_to("/usr/bin/git")

    def run(self, *arguments, code=0, timeout=120, **environment):
        clean = {k: v for k, v in git_servers.environment().items() if not k.startswith("STYRMIN_")}
        clean.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root", **environment)
        done = subprocess.run(["nsenter", "-t", str(self.leader()), "-m", "-u", "-i", "-n", "-p", "--",
                               *map(str, arguments)], capture_output=True, text=True, timeout=timeout, env=clean)
        if code is not None:
            assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done
