# SPDX-License-Identifier: Apache-2.0
"""Commits signed by the real git, ssh-keygen and gpg, and commits that are not: only the first are ever deployed."""
import os
import subprocess

import pytest

import git_servers
from git_servers import git
from installation import Installation, deployment


def tool(*argv, text="", **environment):
    done = subprocess.run([*map(str, argv)], input=text, capture_output=True, text=True, env=git_servers.environment(**environment))
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout


class Signed(Installation):
    """An installation whose commits Anna signs; `mode` is source.verify's."""

    def __init__(self, mode="every"):
        super().__init__()
        self.mode = mode

    def __enter__(self):
        super().__enter__()
        for name in "anna", "bert":
            tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self.path / name)
        self.allow("anna@example.com")
        self.verify(self.mode)
        self.ssh("anna")
        return self

    def verify(self, mode, files="signers_file: signers", more=""):
        self.configure(source=f", verify: {{mode: {mode}, {files}}}{more}")

    def allow(self, words, key="anna"):
        (self.path / "signers").write_text(f"{words} {(self.path / f'{key}.pub').read_text()}")

    def set(self, **values):
        for key, value in values.items():
            git("config", key.replace("__", "."), value, cwd=self.work)

    def ssh(self, key):
        self.set(gpg__format="ssh", user__signingkey=str(self.path / key), commit__gpgsign="true")

    def unsigned(self):
        self.set(commit__gpgsign="false")

    def shop(self, port, signer="anna", push=True):
        """A commit that gives the shop this port."""
        self.ssh(signer) if signer else self.unsigned()
        self.write("deployments/shop.yaml", deployment("shop", port=port))
        return self.commit(f"port {port}", push=push)

    def push(self, oid):
        """The remote's branch is at this commit, wherever it was."""
        git("push", "-q", "-f", "origin", f"{oid}:refs/heads/main", cwd=self.work)

    def make(self, text):
        """A commit object of these bytes."""
        return tool("git", "-C", self.work, "hash-object", "-w", "-t", "commit", "--literally", "--stdin", text=text).strip()

    def raw(self, oid):
        return tool("git", "-C", self.work, "cat-file", "commit", oid)

    def port(self):
        return self.read("shop/page").rpartition(" ")[2]

    def mirror(self):
        return git("--git-dir", self.state / "source.git", "rev-parse", "refs/heads/main")

    def refuses(self, *words, arguments=()):
        """A sync that takes nothing over and says so."""
        before, port = self.mirror(), self.port()
        done = self.sync(*arguments, code=1)
        for word in words:
            assert word in done["error"], done["error"]
        assert (self.mirror(), self.port()) == (before, port)
        assert not (self.state / "source.git/verify").exists()
        return done


@pytest.fixture
def it():
    with Signed() as installation:
        yield installation


def test_signed_commits_are_followed(it):
    it.shop(1)
    it.sync()
    it.shop(2)
    it.shop(3)
    assert it.kinds() == {"shop": ("update", "succeeded")}
    assert it.port() == "3"
    assert it.sync()["state"] == "unchanged"


def test_nothing_begins_with_an_unsigned_commit(it):
    first = it.shop(1, signer=None)
    done = it.run("sync", code=1)
    assert f"commit {first} by Anna <anna@example.com> is not trusted: it carries no signature" in done.stderr
    assert not list(it.root.iterdir())
    it.shop(2)
    it.sync()
    assert it.port() == "2"


def test_an_unsigned_commit_in_the_middle(it):
    it.shop(1)
    it.sync()
    good = git("rev-parse", "HEAD", cwd=it.work)
    bad = it.shop(2, signer=None)
    it.shop(3)
    it.refuses(bad, "Anna <anna@example.com>", "it carries no signature", "replace it")
    it.refuses(bad)
    status = it.document("status", code=None)
    assert bad in status["source"]["error"]
    git("reset", "-q", "--hard", good, cwd=it.work)
    it.push(it.shop(4, push=False))
    it.sync()  # nobody accepted what is gone: no rewind
    assert it.port() == "4"


def test_head_asks_the_tip_alone(it):
    it.verify("head")
    it.shop(1)
    it.sync()
    it.shop(2, signer=None)
    it.refuses("it carries no signature", "push one on top of it")
    it.shop(3)
    it.sync()
    assert it.port() == "3"


@pytest.mark.parametrize("mode", ["head", "every"])
def test_a_merge_of_an_unsigned_branch(it, mode):
    it.verify(mode)
    it.shop(1)
    it.sync()
    git("checkout", "-q", "-b", "side", cwd=it.work)
    bad = it.shop(2, signer=None, push=False)
    it.ssh("anna")
    git("checkout", "-q", "main", cwd=it.work)
    git("merge", "-q", "--no-ff", "-m", "side", "side", cwd=it.work)
    it.push("HEAD")
    if mode == "every":
        it.refuses(bad, "it carries no signature")
    else:
        it.sync()
        assert it.port() == "2"


@pytest.mark.parametrize("words, signer, why", [
    ("anna@example.com", "bert", "its signer is not among those that are allowed here"),
    ("anna@example.com valid-before=\"20200101Z\"", "anna", "the key of its signer expired"),
    ("anna@example.com namespaces=\"file\"", "anna", "its signer is not allowed to sign for git"),
])
def test_ssh_signers_that_are_not_allowed(it, words, signer, why):
    it.shop(1)
    it.sync()
    it.allow(words)
    tip = it.shop(2, signer=signer)
    it.refuses(tip, why)
    it.allow("other@example.com", signer)
    it.sync()
    assert it.port() == "2"


def test_a_date_in_a_commit_proves_nothing(it):
    it.shop(1)
    it.sync()
    it.allow("anna@example.com valid-before=\"20200101Z\"")
    it.write("deployments/shop.yaml", deployment("shop", port=2))
    git("add", "-A", cwd=it.work)
    git("commit", "-q", "-m", "2", cwd=it.work, GIT_COMMITTER_DATE="2019-01-01T00:00:00Z", GIT_AUTHOR_DATE="2019-01-01T00:00:00Z")
    it.push("HEAD")
    it.refuses("the key of its signer expired")


def with_signature(text, armor):
    """The commit's text with this signature instead of its own."""
    head, message = text.split("\n\n", 1)
    lines, kept = head.split("\n"), []
    for line in lines:
        if line.startswith("gpgsig ") or (line.startswith(" ") and kept and kept[-1] is None):
            kept.append(None)
        else:
            kept.append(line)
    kept = [line for line in kept if line is not None]
    payload = "\n".join(kept) + "\n\n" + message
    if armor is None:
        return payload
    return "\n".join(kept) + "\ngpgsig " + armor.rstrip("\n").replace("\n", "\n ") + "\n\n" + message


def test_objects_that_were_tampered_with(it):
    it.shop(1)
    it.sync()
    tip = it.shop(2, push=False)
    text = it.raw(tip)
    payload, armor = with_signature(text, None), lambda namespace, data: tool(
        "ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", it.path / "anna", text=data)
    other_tree = git("rev-parse", "HEAD~1^{tree}", cwd=it.work)
    for changed, why in (
        (text.replace(text.split()[1], other_tree, 1), "what was signed is not this commit"),
        (text.replace("port 2", "port 3"), "what was signed is not this commit"),
        (with_signature(text, armor("file", payload)), "made for something else than git"),
        (with_signature(text, "-----BEGIN SSH SIGNATURE-----\n" + "A" * 70 + "\n-----END SSH SIGNATURE-----\n"),
         "its signature cannot be read"),
        (with_signature(text, "-----BEGIN SSH SIGNATURE-----\n" + ("A" * 70 + "\n") * 20000), "its signature is huge"),
        (payload + text[text.index("gpgsig "):text.index("\n\n")] + "\n", "it carries no signature"),
    ):
        bad = it.make(changed)
        it.push(bad)
        it.refuses(bad, why)
    it.push(it.make(with_signature(text, armor("git", payload))))
    it.sync()
    assert it.port() == "2"


def test_a_branch_that_was_rewritten_too(it):
    first = it.shop(1)
    it.shop(2)
    it.sync()
    git("reset", "-q", "--hard", first, cwd=it.work)
    bad = it.shop(3, signer=None, push=False)
    it.push(bad)
    it.refuses("branch 'main' was rewritten")
    it.verify("every", more=", rewind: accept")
    it.refuses(bad, "it carries no signature")
    git("reset", "-q", "--hard", first, cwd=it.work)
    it.push(it.shop(4, push=False))
    it.sync()
    assert it.port() == "4"


def test_what_another_configuration_let_in_is_not_walked(it):
    it.shop(1)
    it.sync()
    it.configure()
    bad = it.shop(2, signer=None)
    assert it.document("plan")["commit"] == bad
    assert it.mirror() == bad
    it.verify("every")
    for arguments in ((), ("--no-fetch",)):
        done = it.run("sync", *arguments, code=1)
        assert bad in done.stderr and "it carries no signature" in done.stderr
        assert it.port() == "1"
    it.configure()
    it.sync("--no-fetch")
    assert it.port() == "2"
    it.verify("every")  # turned on later: what was accepted stays
    assert it.sync()["state"] == "unchanged"
    it.shop(3)
    it.sync()
    assert it.port() == "3"


def test_planning_needs_no_trust(it):
    good = it.shop(1)
    it.sync()
    bad = it.shop(2, signer=None)
    done = it.run("plan", "-o", "json")
    assert "is not trusted" in done.stderr and good in done.stdout
    assert it.mirror() == good
    assert it.document("plan", "--revision", bad)["commit"] == bad
    assert it.mirror() == good
    it.sync("--no-fetch")
    assert it.port() == "1"


def test_too_many_at_once(it):
    it.shop(1)
    it.sync()
    stream = "".join(f"commit refs/heads/many\nmark :{i}\ncommitter A <a@b> {1700000000 + i} +0000\ndata 1\nx\n"
                     + ("from refs/heads/main^0\n" if i == 1 else "") + "\n" for i in range(1, 10002))
    tool("git", "-C", it.work, "fast-import", "--quiet", text=stream)
    it.push("refs/heads/many")
    it.refuses("more than 10000 commits are new")


# ---- GPG ----


class Gpg:
    """A key ring of throw-away keys, and a gpg for git that uses it, at any time."""

    def __init__(self, it):
        self.it, self.home = it, it.path / "gnupg"
        self.home.mkdir(mode=0o700)

    def gpg(self, *arguments, text="", at=None):
        clock = ["--faked-system-time", at] if at else []
        return tool("gpg", "--batch", "--yes", "--no-tty", "--passphrase", "", "--pinentry-mode", "loopback", *clock, *arguments,
                    text=text, GNUPGHOME=str(self.home))

    def key(self, name, expires="never", at=None):
        self.gpg("--quick-gen-key", f"{name} <{name}@example.com>", "ed25519", "sign", expires, at=at)

    def export(self, *names):
        with open(self.it.path / "signers.gpg", "wb") as out:
            subprocess.run(["gpg", "--batch", "--export", *names], stdout=out, check=True,
                           env=git_servers.environment(GNUPGHOME=str(self.home)))

    def use(self, name, at=None):
        program = self.it.path / "gpg-for-git"
        program.write_text(f"#!/bin/sh\nGNUPGHOME={self.home}\nexport GNUPGHOME\n"
                           f"exec gpg --batch {'--faked-system-time ' + at if at else ''} \"$@\"\n")
        program.chmod(0o755)
        self.it.set(gpg__format="openpgp", gpg__program=str(program), user__signingkey=f"{name}@example.com", commit__gpgsign="true")

    def shop(self, port, name, at=None):
        self.use(name, at)
        self.it.write("deployments/shop.yaml", deployment("shop", port=port))
        return self.it.commit(f"port {port}")


@pytest.fixture
def gpg(it):
    ring = Gpg(it)
    ring.key("carl")
    ring.export("carl")
    it.verify("every", "signers_file: signers, keyring_file: signers.gpg")
    yield ring
    subprocess.run(["gpgconf", "--kill", "all"], env=git_servers.environment(GNUPGHOME=str(ring.home)), check=True)


def test_gpg_beside_ssh(it, gpg):
    it.shop(1)
    it.sync()
    gpg.shop(2, "carl")
    it.shop(3)
    gpg.shop(4, "carl")
    it.sync()
    assert it.port() == "4"
    it.verify("every", "keyring_file: signers.gpg")
    it.shop(5)
    it.refuses("it is signed by SSH, and there is no source.verify.signers_file")


def test_gpg_signers_that_are_not_allowed(it, gpg):
    gpg.shop(1, "carl")
    it.sync()
    good = git("rev-parse", "HEAD", cwd=it.work)
    gpg.key("dora")
    gpg.key("old", expires="2d", at="20200101T000000!")
    gpg.export("carl", "old")

    def again(port, name, at=None):
        git("reset", "-q", "--hard", good, cwd=it.work)
        git("push", "-q", "-f", "origin", "main", cwd=it.work)
        return gpg.shop(port, name, at)

    it.refuses(again(2, "dora"), "its signer is not among those that are allowed here")
    it.refuses(again(3, "old", at="20200101T010000!"), "the key of its signer expired")
    again(4, "carl")
    fingerprint = next(line.split(":")[9] for line in gpg.gpg("--list-keys", "--with-colons", "carl").splitlines()
                       if line.startswith("fpr"))
    certificate = (gpg.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    gpg.gpg("--import", text=certificate)
    gpg.export("carl")
    it.refuses("the key of its signer was revoked")


def test_gpg_signatures_of_something_else(it, gpg):
    gpg.shop(1, "carl")
    it.sync()
    text = it.raw(gpg.shop(2, "carl"))
    payload = with_signature(text, None)
    gpg.key("dora")
    detach = ["--armor", "--detach-sign", "-u"]
    pgp = "-----BEGIN PGP SIGNATURE-----"
    for armor, why in (
        (gpg.gpg(*detach, "carl", text="something else"), "what was signed is not this commit"),
        (gpg.gpg(*detach, "carl", "-u", "dora", text=payload), "its signer is not among those"),
        (gpg.gpg(*detach, "dora", "-u", "carl", text=payload), "its signer is not among those"),
        (gpg.gpg("--armor", "--sign", "-u", "carl", text=payload).replace("MESSAGE", "SIGNATURE"), "cannot be read"),
        (gpg.gpg("--armor", "--clearsign", "-u", "carl", text=payload), "cannot be read"),
        (gpg.gpg("--armor", "--export", "carl").replace("PUBLIC KEY BLOCK", "SIGNATURE"), "cannot be read"),
        (f"{pgp}\n\nAAAA\n-----END PGP SIGNATURE-----", "cannot be read"),
    ):
        bad = it.make(with_signature(text, armor))
        it.push(bad)
        it.refuses(bad, why)
    it.push(it.make(with_signature(text, gpg.gpg(*detach, "carl", text=payload))))
    it.sync()
    assert it.port() == "2"


# ---- configuration and doctor ----


def test_configurations(it):
    it.shop(1)
    it.configure(source=", verify: {mode: every}")
    assert "name who may sign: signers_file, for SSH, or keyring_file, for GPG" in it.run("sync", code=2).stderr
    it.verify("everything")
    assert "wanted none, head or every" in it.run("sync", code=2).stderr
    it.verify("head", "signers_file: nowhere")
    assert "source.verify.signers_file" in it.run("sync", code=2).stderr
    it.verify("none", "signers_file: nowhere")
    it.sync()


def checks(it, code=0):
    found = {}
    for check in it.document("doctor", code=code)["checks"]:
        found.setdefault(check["name"], []).append(check)
    return found


def test_doctor(it):
    tip = it.shop(1)
    found = checks(it)
    assert found["signature"][0]["message"] == f"of {tip[:12]}: by an allowed signer"
    assert [c["message"] for c in found["programs"]][-1].endswith("/ssh-keygen")
    assert found["signers_file"][0]["state"] == "ok"
    it.sync()
    bad = it.shop(2, signer=None)
    found = checks(it, code=1)
    assert bad in found["signature"][0]["message"] and found["signature"][0]["state"] == "failed"
    it.configure()
    it.sync()
    it.verify("every")
    assert checks(it)["signature"][0]["state"] == "warning"
    (it.path / "signers").chmod(0o666)
    assert checks(it)["signers_file"][0]["remedy"].startswith("chmod go-w ")
    (it.path / "signers").unlink()
    found = checks(it, code=1)
    assert "cannot be read" in found["signers_file"][0]["message"]
    assert "source.verify.signers_file" in found["signature"][0]["message"]


def test_without_the_programs(it):
    it.shop(1)
    it.sync()
    it.shop(2)
    places = it.path / "bin"
    places.mkdir()
    for name in "git", "git-upload-pack", "git-receive-pack", "sh":
        os.symlink(tool("sh", "-c", f"command -v {name}").strip(), places / name)
    it.environment["PATH"] = str(places)
    it.refuses("source.verify: program 'ssh-keygen' is not in PATH")
    it.verify("every", "signers_file: signers, keyring_file: signers")
    missing = [c["message"] for c in checks(it, code=1)["programs"] if c["state"] == "failed"]
    assert missing == ["ssh-keygen is not in PATH", "gpgv is not in PATH"]
    del it.environment["PATH"]
    it.verify("every")
    it.sync()
    assert it.port() == "2"
