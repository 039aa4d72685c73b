# SPDX-License-Identifier: Apache-2.0
"""Installations of many deployments for benchmarks, over git and http on loopback.

    with Fleet(1000, driver=ONE_FILE) as it:      # committed and pushed, nothing synced
        it.run("sync")
        it.touch(7)                               # another value in the seventh deployment's document
"""
import git_servers
import installation
from installation import Installation

# What each deployment is made of: one file, or three of which one is a rendered template of about 2 KB.
ONE_FILE = {"components": """    site:
      resources:
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}", content: "{{app.version}} {{parameters.port}}"}
"""}
THREE = {"components": """    site:
      resources:
        - directory: {path: "{{cluster.config.root}}/{{deployment.name}}"}
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}/page", template: page.mustache}
        - file: {path: "{{cluster.config.root}}/{{deployment.name}}/note", content: "{{app.version}} {{parameters.port}}"}
"""}
COMMAND = {"components": """    job:
      resources:
        - command: {check: [/bin/true], apply: [/bin/true], remove: [/bin/true]}
"""}
DRIVER = """apiVersion: styrmin.io/v1
kind: ApplicationDriver
metadata: {name: web}
spec:
  version: "1"
  parameters:
    - {name: port, kind: integer, default: 80}
  components:
%(components)s"""
PAGE = "{{deployment.name}} {{app.version}} port {{parameters.port}}\n" + "a line of the page that is always the same\n" * 48


class Fleet(Installation):
    """An installation whose remote is served by http, with `count` deployments in folders of 100."""

    def __init__(self, count, driver, more="", configuration=""):
        super().__init__(configuration)
        self.count, self.fleet_driver, self.more_environment = count, driver, more

    def __enter__(self):
        super().__enter__()
        self.server = git_servers.HttpServer(self.path)
        try:
            self.server.__enter__()
            self.url = self.server.url("remote.git")
            git_servers.git("-C", self.remote, "config", "http.receivepack", "true")
            self.configure(url=self.url)
            self.write("environments/production.yaml", installation.ENVIRONMENT % self.more_environment)
            self.write("drivers/web/1/driver.styrmin.yml", DRIVER % self.fleet_driver)
            self.write("drivers/web/1/page.mustache", PAGE)
            self.remove("drivers/web/1/migrate")
            for number in range(self.count):
                self.write(self.document_path(number), installation.deployment(self.name(number)))
            self.commit("a fleet")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        self.server.__exit__()
        return super().__exit__(*(error or (None, None, None)))

    def name(self, number):
        return f"app-{number:05}"

    def document_path(self, number):
        return f"deployments/{number // 100:03}/{self.name(number)}.yaml"

    def touch(self, number, port):
        self.write(self.document_path(number), installation.deployment(self.name(number), port=port))
        return self.commit(f"port {port}")

    def fetch(self):
        """The newest commit into the mirror, and no more."""
        self.run("plan", "-q", code=None)

    def argv(self, *arguments):
        return [installation.STYRMIN, "-C", str(self.path), *map(str, arguments)]
