# SPDX-License-Identifier: Apache-2.0
"""The real binary on real folders and repositories: what it prints, and how it exits."""
import json
import os
import pathlib
import shutil
import subprocess

import jsonschema
import pytest

STYRMIN = os.environ.get("STYRMIN", "styrmin")
ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOP = "deployments/production/shop.yaml"


def run(*arguments, cwd, code=0, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("STYRMIN_", "GIT_"))}
    done = subprocess.run([STYRMIN, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60,
                          env={**clean, **environment})
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def document(schema, *arguments, **keywords):
    value = json.loads(run(*arguments, "-o", "json", **keywords).stdout)
    jsonschema.validate(value, json.loads((ROOT / "schemas/output" / f"{schema}.json").read_text()))
    return value


@pytest.fixture
def platform(tmp_path):
    folder = tmp_path / "platform"
    shutil.copytree(ROOT / "examples/quickstart/platform", folder)
    return folder


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def commit(folder, message):
    git = ["git", "-c", "user.name=Anna", "-c", "user.email=anna@example.com", "-C", str(folder)]
    if not (folder / ".git").exists():
        subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", message], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_check_of_what_is_in_order(platform):
    assert run("check", cwd=platform).stdout == "5 documents, no mistakes\n"
    assert run("check", "-q", cwd=platform).stdout == ""
    assert document("check", "check", platform, cwd="/")["ok"] is True


def test_check_tells_all_mistakes_with_their_places(platform):
    replace(platform / SHOP, "port: 18080", "prot: 18080")
    replace(platform / "environments/production.yaml", "cluster: here", "cluster: here\n  mode: enforcing")
    done = run("check", cwd=platform, code=2)
    lines = done.stderr.splitlines()
    assert any(line.startswith("environments/production.yaml:6:9: mode: wanted enforce or observe, got") for line in lines), lines
    value = document("check", "check", cwd=platform, code=2)
    assert value["ok"] is False and value["problems"]


def test_mistakes_in_templates_are_found(platform):
    (platform / "drivers/web/1/files/index.html.mustache").write_text("<p>{{parameters.mottto}}</p>\n")
    done = run("check", cwd=platform, code=2)
    assert "drivers/web/1/files/index.html.mustache:1:" in done.stderr and "mottto" in done.stderr


def test_a_missing_driver_says_what_to_do(platform):
    shutil.rmtree(platform / "drivers/web/1")
    done = run("render", "shop", cwd=platform, code=2)
    assert "web" in done.stderr and "drivers/web/1" in done.stderr


def test_render_is_the_same_everywhere(platform, tmp_path):
    first = document("instance", "render", "shop", "--content", cwd=platform)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(platform, elsewhere)
    assert document("instance", "render", "production/shop", "--content", cwd=elsewhere) == first
    assert document("instance", "render", "here/production/shop", "--tree", platform, "--content", cwd="/") == first
    pages = {r["id"]: r.get("content") for c in first["components"].values() for r in c["resources"]}
    assert json.loads(pages["file:/srv/quickstart/shop/settings.json"])["port"] == 18080


def test_comments_and_file_names_do_not_change_the_digest(platform):
    digest = document("instance", "render", "shop", cwd=platform)["digest"]
    (platform / SHOP).write_text("# a word\n" + (platform / SHOP).read_text())
    (platform / SHOP).rename(platform / "deployments/renamed.yaml")
    assert document("instance", "render", "shop", cwd=platform)["digest"] == digest
    replace(platform / "deployments/renamed.yaml", "1.4.0", "1.5.0")
    assert document("instance", "render", "shop", cwd=platform)["digest"] != digest


def test_a_revision_is_read_from_git_not_from_the_files(platform):
    digest = document("instance", "render", "shop", cwd=platform)["digest"]
    oid = commit(platform, "first")
    replace(platform / SHOP, "1.4.0", "broken: [")
    run("check", cwd=platform, code=2)
    assert document("check", "check", "--revision", "main", cwd=platform)["revision"] == oid
    value = document("instance", "render", "shop", "--revision", oid[:10], cwd=platform / "drivers" / "..")
    assert value["digest"] == digest and value["source"]["commit"] == oid
    done = run("check", "--revision", "main~1", cwd=platform, code=1)
    assert "main~1" in done.stderr


def test_explain_names_file_and_line(platform):
    value = document("explanation", "explain", "shop", "instance.config.log_level", cwd=platform)
    assert value["value"] == "warning"
    assert value["origin"] == {"file": "environments/production.yaml", "line": 6, "column": 23, "commit": None,
                               "author": None}
    assert [layer["layer"] for layer in value["layers"]] == ["cluster", "environment"]
    done = run("explain", "shop", "instance.config.log_levle", cwd=platform, code=1)
    assert "instance.config" in done.stderr


@pytest.mark.parametrize("arguments, words", [
    (["nonsense"], "no command 'nonsense'"),
    (["check", "--nonsense"], "unknown option '--nonsense'"),
    (["check", "a", "b"], "one folder"),
    (["render"], "wants one target"),
    (["-o", "xml", "check"], "-o wants"),
    (["-C", "/nonexistent", "check"], "-C /nonexistent"),
    (["completion", "tcsh"], "bash, zsh or fish"),
    (["ledger", "check", "-c", "/nonexistent.yaml"], "/nonexistent.yaml"),
])
def test_wrong_usage(tmp_path, arguments, words):
    assert words in run(*arguments, cwd=tmp_path, code=2).stderr


def test_a_target_that_is_not_there(platform):
    assert "here/production/shop" in run("render", "shopp", cwd=platform, code=1).stderr


def test_configuration_mistakes_have_lines(tmp_path):
    (tmp_path / "styrmin.yaml").write_text(
        "apiVersion: styrmin.io/v1\nkind: Configuration\nname: edge\nsource: {url: /x, brnch: main}\n")
    done = run("ledger", "check", cwd=tmp_path, code=2)
    assert "styrmin.yaml:4:" in done.stderr and "did you mean 'branch'" in done.stderr


def test_no_ledger_yet(tmp_path):
    (tmp_path / "styrmin.yaml").write_text(
        "apiVersion: styrmin.io/v1\nkind: Configuration\nname: edge\nsource: {url: /x}\nstate_dir: state\n")
    assert "nothing was synced yet" in run("ledger", "check", cwd=tmp_path, code=1).stderr


def test_hostile_text_does_not_reach_the_terminal(platform):
    (platform / "deployments/\x1b[31mred.yaml").write_text("kind: \x07\n")
    done = run("check", cwd=platform, code=2)
    assert "\x1b" not in done.stderr and "\\x1b[31mred.yaml" in done.stderr


def test_help_manual_and_completions(tmp_path):
    overview = run("help", cwd=tmp_path).stdout
    for command in ("check", "render", "status", "history", "show", "diff", "logs", "explain", "ledger", "completion"):
        assert command in overview
        assert run(command, "--help", cwd=tmp_path).stdout.startswith(f"styrmin {command}")
    manual = run("help", "--man", cwd=tmp_path).stdout
    linted = subprocess.run(["mandoc", "-T", "lint", "-W", "error"], input=manual, text=True, capture_output=True)
    assert linted.returncode == 0, linted.stdout
    bash = run("completion", "bash", cwd=tmp_path).stdout
    assert subprocess.run(["bash", "-n"], input=bash, text=True).returncode == 0
    assert run("--version", cwd=tmp_path).stdout.startswith("styrmin ")


def test_a_reader_that_goes_away(platform):
    done = subprocess.run(["bash", "-o", "pipefail", "-c", f"{STYRMIN} render shop -o json | head -c 1"], cwd=platform,
                          capture_output=True, text=True, timeout=60)
    assert "Assertion" not in done.stderr and done.stdout == "{"
