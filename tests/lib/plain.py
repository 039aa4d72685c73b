# SPDX-License-Identifier: Apache-2.0
"""An installation whose driver is one file, so that many walks are cheap: for tests of what is planned, not of how it runs.

    with Plain() as it:
        it.deploy("shop")                    # deployments/production-shop.yaml, a file srv/here/shop
        it.commit("shop"); it.kinds()
        assert it.files() == {"here/shop": "shop 1.0.0 hello"}
"""
from installation import Installation

DRIVER = """apiVersion: styrmin.io/v1
kind: ApplicationDriver
metadata: {name: plain}
spec:
  version: "%s"
  parameters:
    - {name: path, kind: string}
    - {name: text, kind: string, default: hello}
  components:
    site:
      resources:
        - file: {path: "{{cluster.config.root}}/{{parameters.path}}", template: page.mustache}
%s"""
PAGE = "{{deployment.name}} {{app.version}} {{parameters.text}}\n"
# A driver whose `setup` needs a file "go" beside what it deploys: a create that fails when it is told to.
FAILS = """  actions:
    - name: ask
      hook: setup
      mode: pre
      steps: [{run: {command: [/usr/bin/test, -e, "{{cluster.config.root}}/go"], timeout: 5s}}]
"""


class Plain(Installation):
    def __enter__(self):
        super().__enter__()
        (self.root / "here").mkdir()
        self.cluster("here")
        self.plain("1")
        return self

    def plain(self, version, more="", page=PAGE):
        self.write(f"drivers/plain/{version}/driver.styrmin.yml", DRIVER % (version, more))
        self.write(f"drivers/plain/{version}/page.mustache", page)

    def cluster(self, name, labels=""):
        (self.root / name).mkdir(exist_ok=True)
        self.write(f"clusters/{name}.yaml", "apiVersion: styrmin.io/v1\nkind: Cluster\n"
                   f"metadata: {{name: {name}, labels: {{{labels}}}}}\nspec: {{config: {{root: \"{self.root}/{name}\"}}}}\n")

    def place(self, name="production", spec="cluster: here"):
        """An Environment; spec in YAML's flow style."""
        self.write(f"environments/{name}.yaml",
                   f"apiVersion: styrmin.io/v1\nkind: Environment\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")

    def deployment(self, name, environment="production", path=None, text="hello", version="1.0.0", driver="1", more="",
                   metadata=""):
        return ("apiVersion: styrmin.io/v1\nkind: Deployment\n"
                f"metadata: {{name: {name}{metadata}}}\n"
                f"spec:\n  environment: {environment}\n  driver: {{name: plain, version: \"{driver}\"}}\n"
                f"  version: {version}\n  parameters: {{path: {path or name}, text: {text}}}\n{more}")

    def deploy(self, name, environment="production", file=None, **keywords):
        self.write(file or f"deployments/{environment}-{name}.yaml", self.deployment(name, environment, **keywords))

    def undeploy(self, name, environment="production"):
        self.remove(f"deployments/{environment}-{name}.yaml")

    def files(self):
        """{path: text} of what is deployed."""
        return {str(file.relative_to(self.root)): file.read_text().strip()
                for file in sorted(self.root.rglob("*")) if file.is_file()}

    def does(self, message, code=0, **keywords):
        """Commit, sync: {target: (kind, state)} of what it did; `self.last` is the document."""
        self.commit(message)
        return self.syncs(code=code, **keywords)

    def syncs(self, *arguments, code=0, **keywords):
        self.last = self.sync(*arguments, code=code, **keywords)
        self.blocked = {b["target"]: b for b in self.last["blocked"]}
        return {short(r["target"]): (r["kind"], r["state"]) for r in self.last["remediations"]}

    def reasons(self):
        """{target: reason} of what the last sync left blocked."""
        return {short(target): b["reason"] for target, b in self.blocked.items()}

    def plans(self, *arguments, **keywords):
        """{target: kind} of what a sync would do."""
        self.planned = self.document("plan", *arguments, **keywords)
        return {short(r["target"]): r["kind"] for r in self.planned["remediations"]}


def short(target):
    """Without cluster and environment where they are the usual ones."""
    return target.removeprefix("here/").removeprefix("production/")
