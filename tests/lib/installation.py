# SPDX-License-Identifier: Apache-2.0
"""A whole installation for end-to-end tests: a remote, a clone that people commit to, a configuration, a place to deploy to.

    with Installation() as it:
        it.write("deployments/shop.yaml", deployment("shop"))
        it.commit("shop 1.0.0")
        it.sync()
        assert it.read("shop/page") == "shop 1.0.0 port 80"
"""
import json
import os
import pathlib
import sqlite3
import subprocess

import jsonschema

import git_servers
from git_servers import git

STYRMIN = os.path.abspath(os.environ.get("STYRMIN", "styrmin"))
ROOT = pathlib.Path(__file__).resolve().parents[2]

CLUSTER = """apiVersion: styrmin.io/v1
kind: Cluster
metadata: {name: here}
spec: {config: {root: "%s"}}
"""
ENVIRONMENT = """apiVersion: styrmin.io/v1
kind: Environment
metadata: {name: production}
spec: {cluster: here%s}
"""
# One file and one process; `upgrade` has a migration that must happen once.
DRIVER = """apiVersion: styrmin.io/v1
kind: ApplicationDriver
metadata: {name: web}
spec:
  version: "%(version)s"
  parameters:
    - {name: port, kind: integer, default: 80}
  components:
    site:
      resources:
        - directory: {path: "{{cluster.config.root}}/{{deployment.name}}"}
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}/page", template: page.mustache}
    server:
      depends_on: [site]
      restart_on: [site]
      resources:
        - process: {command: [/bin/sleep, "100000"]}
  actions:
    - name: migrate
      hook: upgrade
      mode: pre
      steps:
        - run: {command: [./migrate, "{{cluster.config.root}}/{{deployment.name}}.migrations"], once: true, timeout: 20s}
%(more)s"""
PAGE = "{{deployment.name}} {{app.version}} port {{parameters.port}}\n"
MIGRATE = "#!/bin/sh\necho migrated >> \"$1\"\n"


def deployment(name, version="1.0.0", driver="1", more="", port=80, environment="production", metadata=""):
    return ("apiVersion: styrmin.io/v1\nkind: Deployment\n"
            f"metadata: {{name: {name}{metadata}}}\n"
            f"spec:\n  environment: {environment}\n  driver: {{name: web, version: \"{driver}\"}}\n"
            f"  version: {version}\n  parameters: {{port: {port}}}\n{more}")


def process_table():
    """{pid: (parent, command line)} of this machine."""
    table = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                table[int(entry.name)] = (parent, (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return table


class Installation:
    """All of it below one folder, `path`; `root` is where things are deployed to."""

    def __init__(self, configuration=""):
        self.holder = git_servers.folder()
        self.more = configuration
        self.environment = {}

    def __enter__(self):
        self.path = pathlib.Path(self.holder.__enter__())
        self.remote, self.work = self.path / "remote.git", self.path / "work"
        self.root, self.state = self.path / "srv", self.path / "state"
        self.root.mkdir()
        git("init", "-q", "--bare", "-b", "main", str(self.remote))
        git("init", "-q", "-b", "main", str(self.work))
        git("-C", str(self.work), "remote", "add", "origin", str(self.remote))
        self.configure()
        self.write("clusters/here.yaml", CLUSTER % self.root)
        self.write("environments/production.yaml", ENVIRONMENT % "")
        self.driver("1")
        return self

    def __exit__(self, *error):
        self.end_processes()
        return self.holder.__exit__(*error)

    # ---- configuration and desired state

    def configure(self, more=None, name="edge", url=None, source=""):
        (self.path / "styrmin.yaml").write_text(
            "apiVersion: styrmin.io/v1\nkind: Configuration\n"
            f"name: {name}\nsource: {{url: \"{url or self.remote}\"{source}}}\nstate_dir: {self.state}\n"
            f"host: {{allow: [{self.root}]}}\n{self.more if more is None else more}")

    def driver(self, version, more="", page=PAGE, migrate=MIGRATE):
        folder = f"drivers/web/{version}"
        self.write(f"{folder}/driver.styrmin.yml", DRIVER % {"version": version, "more": more})
        self.write(f"{folder}/page.mustache", page)
        self.write(f"{folder}/migrate", migrate, 0o755)

    def write(self, path, text, mode=0o644):
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def remove(self, path):
        (self.work / path).unlink()

    def commit(self, message, push=True):
        """Commit everything, push, and return the commit's id."""
        git("-C", str(self.work), "add", "-A")
        git("-C", str(self.work), "-c", "user.name=Anna", "-c", "user.email=anna@example.com", "commit", "-q",
            "--allow-empty", "-m", message)
        if push:
            git("-C", str(self.work), "push", "-q", "origin", "main")
        return git("-C", str(self.work), "rev-parse", "HEAD")

    # ---- running the program

    def run(self, *arguments, code=0, timeout=60, **environment):
        clean = {k: v for k, v in git_servers.environment().items() if not k.startswith("STYRMIN_")}
        clean.update(self.environment)
        clean.update(environment)
        done = subprocess.run([STYRMIN, *map(str, arguments)], cwd=self.path, capture_output=True, text=True,
                              timeout=timeout, env=clean)
        if code is not None:
            assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def document(self, *arguments, **keywords):
        """Its JSON, checked against the published schema of its kind."""
        value = json.loads(self.run(*arguments, "-o", "json", **keywords).stdout)
        schema = ROOT / "schemas/output" / f"{value['kind'].lower()}.json"
        jsonschema.validate(value, json.loads(schema.read_text()))
        return value

    def sync(self, *arguments, **keywords):
        return self.document("sync", *arguments, **keywords)

    def kinds(self, *arguments, **keywords):
        """{deployment: (kind, state)} of what a sync did."""
        done = self.sync(*arguments, **keywords)
        return {r["deployment"]: (r["kind"], r["state"]) for r in done["remediations"]}

    def state_of(self, name="shop"):
        return next(d for d in self.document("status", code=None)["deployments"] if d["name"] == name)

    # ---- what is really there

    def read(self, path):
        return (self.root / path).read_text().strip()

    def rows(self, sql, *values):
        with sqlite3.connect(f"file:{self.state}/ledger.db?mode=ro", uri=True) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql, values)]

    def note(self, commit):
        """The text note of a commit, as the remote has it."""
        return git("-C", self.remote, "notes", "--ref", "refs/notes/styrmin/edge", "show", commit, check=False)

    def records(self):
        """Every record that the remote has, by sequence."""
        lines = git("-C", str(self.remote), "grep", "-h", "-e", "", "refs/notes/styrmin-records/edge", check=False)
        records = [json.loads(line) for line in lines.splitlines() if line]
        return sorted(records, key=lambda record: record["sequence"])

    def launchers(self, table=None):
        """Pids of what attends to a started program here."""
        return [pid for pid, (_, line) in (table or process_table()).items()
                if f"{self.state}/run/" in line and "launch" in line]

    def processes(self, table=None):
        """Pids of programs that Styrmin started here and that still run, with all that they started."""
        table = table or process_table()
        found = set(self.launchers(table))
        launchers = set(found)
        for _ in table:
            grown = found | {pid for pid, (parent, _) in table.items() if parent in found}
            if grown == found:
                break
            found = grown
        return sorted(found - launchers)

    def end_processes(self):
        table = process_table()
        found = self.launchers(table) + self.processes(table)
        for pid in found:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        return found

    def check_ledger(self):
        self.run("ledger", "check")
