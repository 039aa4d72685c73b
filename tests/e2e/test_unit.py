# SPDX-License-Identifier: Apache-2.0
"""systemd units on a machine whose pid 1 is a real systemd: created, changed, healed, stopped, removed."""
import concurrent.futures
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import time

import jsonschema
import pytest

from git_servers import git, wait_until
from machine import Machine

STYRMIN = os.path.abspath(os.environ.get("STYRMIN", "styrmin"))
ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = "/etc/systemd/system"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can boot a machine with systemd-nspawn")

DRIVER = """apiVersion: styrmin.io/v1
kind: ApplicationDriver
metadata: {name: shop}
spec:
  version: "1"
  parameters:
    - {name: text, kind: string, default: one}
    - {name: args, kind: string, default: "100000"}
%s  components:
%s
"""
# A migration that runs once, a daemon that can reload, a timer with what it starts, a worker of a template.
COMPONENTS = """
    config:
      resources:
        - file: {path: "/srv/{{deployment.name}}.conf", content: "{{parameters.text}}\\n"}
    migration:
      resources:
        - unit:
            name: "{{deployment.name}}-migrate.service"
            content: |
              [Service]
              Type=oneshot
              ExecStart=/bin/sh -c 'echo {{app.version}} >> /srv/{{deployment.name}}.migrations'
    server:
      depends_on: [migration]
      reload_on: [config]
      resources:
        - unit: {name: "{{deployment.name}}.service", template: server.service.mustache, enabled: true}
    timer:
      resources:
        - unit:
            name: "{{deployment.name}}-tick.service"
            state: keep
            content: "[Service]\\nType=oneshot\\nExecStart=/bin/true\\n"
        - unit:
            name: "{{deployment.name}}-tick.timer"
            enabled: true
            content: "[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n"
    workers:
      resources:
        - unit:
            name: "{{deployment.name}}-worker@.service"
            content: "[Service]\\nExecStart=/bin/sleep 1000%i\\n[Install]\\nWantedBy=multi-user.target\\n"
        - unit: {name: "{{deployment.name}}-worker@7.service", enabled: true}
"""
SERVER = """[Unit]
Description={{deployment.name}}
[Service]
ExecStart=/bin/sleep {{parameters.args}}
ExecReload=/bin/sh -c 'cat /srv/{{deployment.name}}.conf >> /srv/{{deployment.name}}.reloads'
[Install]
WantedBy=multi-user.target
"""
# What a package would have brought.
VENDOR = "[Service]\nExecStart=/bin/sleep 200000\n[Install]\nWantedBy=multi-user.target\n"


@pytest.fixture(scope="module")
def machine():
    with Machine() as made:
        made.install(STYRMIN)
        made.install_git()
        yield made


class Site:
    """A remote, a clone and a configuration in the machine, for one deployment."""
    numbers = itertools.count(1)

    def __init__(self, machine):
        self.machine, self.name = machine, f"shop{next(self.numbers)}"
        self.home = f"/var/lib/site-{self.name}"
        self.work = machine.path(f"{self.home}/work")
        git("init", "-q", "--bare", "-b", "main", machine.path(f"{self.home}/remote.git"))
        git("init", "-q", "-b", "main", self.work)
        git("-C", self.work, "remote", "add", "origin", machine.path(f"{self.home}/remote.git"))
        machine.path(f"{self.home}/styrmin.yaml").write_text(
            "apiVersion: styrmin.io/v1\nkind: Configuration\nname: edge\n"
            f"source: {{url: \"{self.home}/remote.git\"}}\nstate_dir: {self.home}/state\nhost: {{allow: [/srv]}}\n"
            "secrets: {files: [/srv/secrets]}\n")
        self.write("clusters/here.yaml", "apiVersion: styrmin.io/v1\nkind: Cluster\nmetadata: {name: here}\nspec: {}\n")
        self.write("environments/production.yaml", "apiVersion: styrmin.io/v1\nkind: Environment\n"
                   "metadata: {name: production}\nspec: {cluster: here}\n")
        self.write("drivers/shop/1/server.service.mustache", SERVER)

    def write(self, path, text):
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def driver(self, components, parameters=""):
        self.write("drivers/shop/1/driver.styrmin.yml", DRIVER % (parameters, components))

    def deploy(self, version="1.0.0", lifecycle="running", **parameters):
        self.write("deployments/shop.yaml",
                   f"apiVersion: styrmin.io/v1\nkind: Deployment\nmetadata: {{name: {self.name}}}\n"
                   f"spec:\n  environment: production\n  driver: {{name: shop, version: \"1\"}}\n"
                   f"  version: {version}\n  lifecycle: {lifecycle}\n  parameters: {json.dumps(parameters)}\n")
        self.commit()

    def delete(self):
        (self.work / "deployments/shop.yaml").unlink()
        self.commit("gone\n\nStyrmin-Allow: delete=1")

    def commit(self, message="change"):
        git("-C", self.work, "add", "-A")
        git("-C", self.work, "commit", "-q", "-m", message)
        git("-C", self.work, "push", "-q", "origin", "main")

    def run(self, *arguments, **keywords):
        return self.machine.run("styrmin", "-c", f"{self.home}/styrmin.yaml", *arguments, **keywords)

    def document(self, *arguments, **keywords):
        value = json.loads(self.run(*arguments, "-o", "json", **keywords).stdout)
        schema = ROOT / "schemas/output" / f"{value['kind'].lower()}.json"
        jsonschema.validate(value, json.loads(schema.read_text()))
        return value

    def sync(self, *arguments, **keywords):
        """[(kind, state)] of what a sync did."""
        done = self.document("sync", *arguments, **keywords)
        return [(r["kind"], r["state"]) for r in done["remediations"]]

    def drift(self):
        """{id: [paths]} of what is not as it should be."""
        done = self.document("drift", code=None)
        return {r["id"]: [d["path"] for d in r["diff"] or []] or [r["state"]]
                for d in done["deployments"] for r in d["resources"]}

    def show(self, unit, *properties):
        """Properties of {name}UNIT, in the order asked for."""
        out = self.machine.run("systemctl", "show", f"{self.name}{unit}", *[f"-p{p}" for p in properties]).stdout
        found = dict(line.split("=", 1) for line in out.splitlines())
        return tuple(found[p] for p in properties)

    def active(self, unit):
        return self.show(unit, "ActiveState")[0]

    def enabled(self, unit):
        return self.machine.run("systemctl", "is-enabled", f"{self.name}{unit}", code=None).stdout.strip()

    def file(self, unit):
        return self.machine.path(f"{UNITS}/{self.name}{unit}")

    def lines(self, name):
        try:
            return self.machine.path(f"/srv/{self.name}.{name}").read_text().split()
        except FileNotFoundError:
            return []


@pytest.fixture
def site(machine):
    return Site(machine)


@pytest.fixture
def shop(site):
    site.driver(COMPONENTS)
    site.deploy()
    assert site.sync() == [("create", "succeeded")]
    return site


@pytest.fixture
def vendor(site):
    """A unit that a package brought, which nobody started."""
    site.machine.path(f"/lib/systemd/system/{site.name}.service").write_text(VENDOR)
    site.machine.run("systemctl", "daemon-reload")
    return site


def drop_in(text="Environment=A=1", name="10-styrmin.conf", more=""):
    return ("    server:\n      resources:\n        - unit:\n            name: \"{{deployment.name}}.service\"\n"
            f"            drop_ins: [{{name: '{name}', content: \"[Service]\\n{text}\\n\"}}]\n{more}")


# ---- ours ----


def test_create(shop):
    assert shop.show(".service", "ActiveState", "UnitFileState", "Description") == ("active", "enabled", shop.name)
    assert shop.file(".service").read_text() == (
        SERVER.replace("{{deployment.name}}", shop.name).replace("{{parameters.args}}", "100000"))
    assert shop.file(".service").stat().st_mode & 0o7777 == 0o644
    assert shop.lines("migrations") == ["1.0.0"]
    assert shop.show("-migrate.service", "ActiveState", "Result") == ("inactive", "success")
    assert (shop.active("-tick.timer"), shop.enabled("-tick.timer")) == ("active", "enabled")
    assert shop.show("-tick.service", "ActiveState", "ExecMainStartTimestampMonotonic") == ("inactive", "0")
    assert (shop.active("-worker@7.service"), shop.enabled("-worker@7.service")) == ("active", "enabled")
    assert shop.drift() == {} and shop.sync("--heal") == [] and shop.lines("migrations") == ["1.0.0"]


def test_update_restarts_what_changed_and_reloads_what_asks_for_it(shop):
    before = shop.show(".service", "MainPID")
    shop.deploy(text="two")
    assert shop.sync() == [("update", "succeeded")]
    assert shop.lines("reloads") == ["two"] and shop.show(".service", "MainPID") == before
    shop.deploy(text="two", args="100001")
    assert shop.sync() == [("update", "succeeded")]
    assert shop.show(".service", "MainPID") != before and shop.active(".service") == "active"
    assert "100001" in shop.show(".service", "ExecStart")[0]
    assert shop.lines("migrations") == ["1.0.0"]
    shop.deploy("1.1.0", text="two", args="100001")
    assert shop.sync() == [("upgrade", "succeeded")]
    assert shop.lines("migrations") == ["1.0.0", "1.1.0"] and shop.drift() == {}


def test_drift_is_seen_and_healed(shop):
    systemctl = lambda *words: shop.machine.run("systemctl", *words)
    service, timer = f"unit:{shop.name}.service", f"unit:{shop.name}-tick.timer"

    with shop.file(".service").open("a") as unit:
        unit.write("[Install]\nAlias=other.service\n")
    assert shop.drift() == {service: ["/content", "/need_daemon_reload"]}
    assert shop.sync("--heal") == [("heal", "succeeded")] and shop.drift() == {}

    shop.file(".service").chmod(0o666)
    assert shop.drift() == {service: ["/content"]}
    assert shop.sync("--heal") == [("heal", "succeeded")] and shop.drift() == {}

    systemctl("stop", f"{shop.name}.service", f"{shop.name}-tick.timer")
    assert shop.drift() == {service: ["/active"], timer: ["/active"]}
    assert shop.sync("--heal") == [("heal", "succeeded")] and shop.drift() == {}
    assert shop.active(".service") == "active" and shop.active("-tick.timer") == "active"

    systemctl("disable", f"{shop.name}.service")
    assert shop.drift() == {service: ["/enabled"]}
    assert shop.sync("--heal") == [("heal", "succeeded")] and shop.enabled(".service") == "enabled"

    shop.file(".service").unlink()
    assert shop.drift() == {service: ["missing"]}
    assert shop.sync("--heal") == [("heal", "succeeded")] and shop.drift() == {}
    assert shop.active(".service") == "active"


def test_a_file_that_systemd_has_not_read_yet(shop):
    """As a crash between the two leaves it: nothing to write, but not in force."""
    text = shop.file(".service").read_text()
    shop.file(".service").write_text(text.replace("100000", "100001"))
    shop.deploy(args="100001")
    assert shop.sync() == [("update", "succeeded")]
    assert "100001" in shop.show(".service", "ExecStart")[0] and shop.drift() == {}


def test_a_symlink_is_not_followed(shop):
    other = shop.machine.path("/srv/other.service")
    other.write_text("[Service]\nExecStart=/bin/true\n")
    shop.file(".service").unlink()
    shop.file(".service").symlink_to("/srv/other.service")
    assert shop.drift()[f"unit:{shop.name}.service"][0] == "/content"
    assert shop.sync("--heal") == [("heal", "succeeded")]
    assert not shop.file(".service").is_symlink() and other.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_stop_and_start(shop):
    shop.deploy(lifecycle="stopped")
    assert shop.sync() == [("stop", "succeeded")]
    assert [shop.active(u) for u in (".service", "-tick.timer", "-worker@7.service")] == ["inactive"] * 3
    assert shop.enabled(".service") == "enabled" and shop.drift() == {}
    shop.machine.run("systemctl", "start", f"{shop.name}.service")
    assert shop.drift() == {f"unit:{shop.name}.service": ["/active"]}
    assert shop.sync("--heal") == [("heal", "succeeded")] and shop.active(".service") == "inactive"
    shop.deploy()
    assert shop.sync() == [("start", "succeeded")]
    assert [shop.active(u) for u in (".service", "-tick.timer", "-worker@7.service")] == ["active"] * 3


def test_delete_leaves_nothing(shop):
    shop.delete()
    assert shop.sync() == [("delete", "succeeded")]
    assert shop.machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", f"{shop.name}*").stdout == ""
    left = [str(p) for p in shop.machine.path(UNITS).rglob("*") if shop.name in p.name]
    assert left == [] and list(shop.machine.path(f"{shop.home}/state/run").glob("unit-*")) == []


def test_a_service_that_does_not_start_says_why(site):
    site.driver("""
    server:
      health: {timeout: 2s}
      resources:
        - unit:
            name: "{{deployment.name}}.service"
            content: |
              [Service]
              Type=oneshot
              ExecStart=/bin/sh -c 'echo no such table >&2; exit 3'
""")
    site.deploy()
    done = site.document("sync", code=None)
    failed = done["remediations"][0]
    assert failed["state"] == "failed"
    text = json.dumps(failed)
    assert f"{site.name}.service is failed: exit-code, status 3" in text and "no such table" in text


def test_a_start_that_takes_too_long_is_taken_back(site):
    site.driver("    server:\n      resources:\n        - unit: {name: \"{{deployment.name}}.service\", timeout: 1s,"
                " content: \"[Service]\\nType=oneshot\\nExecStart=/bin/sleep 300\\n\"}\n")
    site.deploy()
    began = time.monotonic()
    done = site.document("sync", code=None)
    assert done["remediations"][0]["state"] == "failed" and "not done after 1s" in json.dumps(done)
    assert time.monotonic() - began < 30 and site.active(".service") in ("inactive", "failed", "deactivating")


def test_a_text_that_is_no_unit_touches_nothing(site):
    site.driver("    server:\n      resources:\n        - unit: {name: \"{{deployment.name}}.service\","
                " content: \"[Service]\\nExecStart /bin/true\\n\"}\n")
    site.deploy()
    done = site.document("sync", code=None)
    assert "line 2: wanted Name=value" in json.dumps(done)
    assert not site.file(".service").exists()


def test_a_text_that_systemd_refuses_is_told(site):
    site.driver("    server:\n      resources:\n        - unit: {name: \"{{deployment.name}}.service\","
                " content: \"[Service]\\nType=simple\\n\"}\n")
    site.deploy()
    done = site.document("sync", code=None)
    assert done["remediations"][0]["state"] == "failed" and "bad-setting" in json.dumps(done)


def test_enabling_what_cannot_be_enabled(site):
    site.driver("    server:\n      resources:\n        - unit: {name: \"{{deployment.name}}.service\", enabled: true,"
                " content: \"[Service]\\nExecStart=/bin/sleep 100000\\n\"}\n")
    site.deploy()
    done = site.document("sync", code=None)
    assert done["remediations"][0]["state"] == "failed" and "no [Install] section" in json.dumps(done)


def test_a_secret_in_a_unit(site):
    secret = site.machine.path(f"/srv/secrets/{site.name}")
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("hush-1")
    secret.chmod(0o600)
    site.driver("    server:\n      resources:\n        - unit: {name: \"{{deployment.name}}.service\", content:"
                " \"[Service]\\nEnvironment=TOKEN={{parameters.token}}\\nExecStart=/bin/sleep 100000\\n\"}\n",
                "    - {name: token, kind: secret}\n")
    site.deploy(token={"from_file": f"/srv/secrets/{site.name}"})
    assert site.sync() == [("create", "succeeded")]
    assert "TOKEN=hush-1" in site.file(".service").read_text()
    assert site.file(".service").stat().st_mode & 0o7777 == 0o600
    secret.write_text("hush-2")
    assert site.drift() == {f"unit:{site.name}.service": ["/content"]}
    assert site.sync("--heal") == [("heal", "succeeded")] and site.drift() == {}
    assert site.show(".service", "Environment") == ("TOKEN=hush-2",)
    ledger = b"".join(p.read_bytes() for p in site.machine.path(f"{site.home}/state").glob("ledger.db*"))
    assert b"hush-" not in ledger


def test_cancelling_a_start_takes_it_back(site):
    site.driver("    server:\n      resources:\n        - unit: {name: \"{{deployment.name}}.service\", timeout: 1m,"
                " content: \"[Service]\\nType=oneshot\\nExecStart=/bin/sleep 300\\n\"}\n")
    site.deploy()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        syncing = pool.submit(site.document, "sync", code=None)
        wait_until(lambda: site.active(".service") == "activating", "the start")
        site.run("cancel", site.document("history")["entries"][0]["id"], "-m", "too slow")
        done = syncing.result(timeout=30)
    assert [r["state"] for r in done["remediations"]] == ["cancelled"]
    wait_until(lambda: site.active(".service") in ("inactive", "failed"), "the end of the start")


def test_what_is_rendered(site):
    site.driver(drop_in("Environment=A={{parameters.text}}", "10.conf",
                        "            content: \"[Unit]\\nDescription=x\\n\"\n"))
    site.deploy()
    shown = site.run("render", site.name, "--tree", f"{site.home}/work", "--content").stdout
    assert f"[Unit]\nDescription=x\n\n# {site.name}.service.d/10.conf\n[Service]\nEnvironment=A=one\n" in shown


# ---- somebody else's ----


def test_a_drop_in_on_a_unit_that_is_there(vendor):
    vendor.driver(drop_in())
    vendor.deploy()
    assert vendor.sync() == [("create", "succeeded")]
    assert vendor.show(".service", "ActiveState", "Environment", "UnitFileState") == ("active", "A=1", "disabled")


def test_drop_ins_change_drift_and_go(vendor):
    text = "Environment=A={{parameters.text}}"
    vendor.driver(drop_in(text, "{{parameters.args}}.conf"))
    vendor.deploy(text="1", args="10-a")
    assert vendor.sync() == [("create", "succeeded")]
    before = vendor.show(".service", "MainPID")
    folder = vendor.file(".service.d")
    (folder / "99-person.conf").write_text("[Service]\nEnvironment=B=1\n")
    vendor.machine.run("systemctl", "daemon-reload")
    assert vendor.drift() == {}

    vendor.deploy(text="2", args="20-b")
    assert vendor.sync() == [("update", "succeeded")]
    assert sorted(p.name for p in folder.iterdir()) == ["20-b.conf", "99-person.conf"]
    assert vendor.show(".service", "Environment") == ("A=2 B=1",) and vendor.show(".service", "MainPID") != before

    (folder / "20-b.conf").write_text("[Service]\nEnvironment=A=3\n")
    assert vendor.drift() == {f"unit:{vendor.name}.service": ["/drop_ins/20-b.conf", "/need_daemon_reload"]}
    assert vendor.sync("--heal") == [("heal", "succeeded")]
    assert vendor.show(".service", "Environment") == ("A=2 B=1",)

    vendor.delete()
    assert vendor.sync() == [("delete", "succeeded")]
    assert [p.name for p in folder.iterdir()] == ["99-person.conf"]
    assert vendor.show(".service", "ActiveState", "LoadState", "Environment") == ("inactive", "loaded", "B=1")
    assert vendor.machine.path(f"/lib/systemd/system/{vendor.name}.service").read_text() == VENDOR


def test_a_unit_that_is_there_is_only_started_and_enabled(vendor):
    vendor.driver("    server:\n      resources:\n        - unit: {name: \"{{deployment.name}}.service\","
                  " enabled: true}\n")
    vendor.deploy()
    assert vendor.sync() == [("create", "succeeded")]
    assert (vendor.active(".service"), vendor.enabled(".service")) == ("active", "enabled")
    vendor.machine.run("systemctl", "kill", "-s", "KILL", f"{vendor.name}.service")
    wait_until(lambda: vendor.active(".service") == "failed", "the failure")
    assert vendor.drift() == {f"unit:{vendor.name}.service": ["/active"]}
    assert vendor.sync("--heal") == [("heal", "succeeded")] and vendor.active(".service") == "active"
    vendor.delete()
    assert vendor.sync() == [("delete", "succeeded")]
    assert (vendor.active(".service"), vendor.enabled(".service")) == ("inactive", "disabled")
    assert vendor.machine.path(f"/lib/systemd/system/{vendor.name}.service").read_text() == VENDOR


def test_a_unit_that_is_kept_as_it_is(vendor):
    vendor.driver(drop_in(more="            state: keep\n"))
    vendor.deploy()
    assert vendor.sync() == [("create", "succeeded")]
    assert vendor.show(".service", "ActiveState", "Environment") == ("inactive", "A=1")
    vendor.machine.run("systemctl", "start", f"{vendor.name}.service")
    assert vendor.drift() == {}
    vendor.delete()
    assert vendor.sync() == [("delete", "succeeded")]
    assert vendor.active(".service") == "active" and not vendor.file(".service.d").exists()


def test_what_stands_there_and_is_other_blocks(site):
    site.file(".service").write_text("[Service]\nExecStart=/bin/sleep 5\n")
    site.driver(COMPONENTS)
    site.deploy()
    done = site.document("sync", code=None)
    assert f"unit:{site.name}.service is there, different, and not ours" in json.dumps(done)
    assert site.file(".service").read_text() == "[Service]\nExecStart=/bin/sleep 5\n"


def test_no_unit_of_that_name(site):
    site.driver("    server:\n      resources:\n        - unit: {name: \"{{deployment.name}}.service\"}\n")
    site.deploy()
    done = site.document("sync", code=None)
    assert done["remediations"][0]["state"] == "failed"
    assert f"{site.name}.service cannot be used: not-found" in json.dumps(done)


# ---- the bus ----


def test_without_a_bus_it_waits_and_goes_on_later(site):
    site.driver(COMPONENTS)
    site.deploy()
    done = site.document("sync", code=None, DBUS_SYSTEM_BUS_ADDRESS="unix:path=/run/nobody")
    assert [r["state"] for r in done["remediations"]] == ["waiting"], done
    assert not site.file(".service").exists()
    wait_until(lambda: ("create", "succeeded") in site.sync(code=None), "the next attempt", 30)
    assert site.active(".service") == "active"


def test_a_bus_that_goes_away_while_a_unit_starts(site):
    site.driver("    server:\n      resources:\n        - unit: {name: \"{{deployment.name}}.service\", content:"
                " \"[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/sleep 4\\n\"}\n")
    site.deploy()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        syncing = pool.submit(site.document, "sync", code=None)
        wait_until(lambda: site.active(".service") == "activating", "the start", 30)
        site.machine.run("systemctl", "stop", "dbus.socket", "dbus.service")
        done = syncing.result(timeout=60)
    assert [r["state"] for r in done["remediations"]] == ["waiting"]
    assert ("create", "succeeded") not in site.sync(code=None)
    site.machine.run("systemctl", "start", "dbus.socket")
    wait_until(lambda: ("create", "succeeded") in site.sync(code=None), "the next attempt", 60)
    assert site.active(".service") == "active" and site.drift() == {}


# ---- the example ----


def test_the_example_runs(machine):
    shutil.copytree(ROOT / "examples/systemd", machine.path("/opt/systemd"))
    done = machine.run("bash", "/opt/systemd/run", STYRMIN="/usr/bin/styrmin", code=None)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "5. The last commit takes it away" in done.stdout
    assert not machine.path("/srv/styrmin-clock").exists()


@pytest.mark.skipif(os.path.isdir("/run/systemd/system"), reason="here it would really run")
def test_the_example_says_where_it_cannot_run():
    done = subprocess.run([ROOT / "examples/systemd/run"], capture_output=True, text=True)
    assert done.returncode == 77 and "systemd does not run this machine" in done.stderr
