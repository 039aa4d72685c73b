# What the examples' `run` scripts share, sourced by them: the program, a place to work in, commands shown as typed and
# what must be true after them. A command that ends otherwise than told, or prints a line too long to be read, ends all.
# STYRMIN=PATH: walk with that program, install and build nothing.

set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# install PACKAGE...: those that are missing
install() {
  local package missing=() as_root=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  echo "installing ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' sh "${missing[@]}" >/dev/null
}

# the program, built if need be: sets STYRMIN
have_styrmin() {
  if [ -z "${STYRMIN:-}" ]; then
    install cmake ninja-build gcc pkg-config git libgit2-dev libyaml-dev libjansson-dev libcurl4-openssl-dev \
      libsqlite3-dev libssl-dev libsystemd-dev libcmocka-dev
    (cd "$repository" && cmake --preset default >/dev/null && cmake --build build --target styrmin | tail -n 1)
    STYRMIN=$repository/build/styrmin
  fi
  STYRMIN=$(realpath "$STYRMIN")
}

# what was started here and still runs: the launchers' command lines name the state directory
end_all() {
  local pid
  for pid in $(grep -lsaF "$work/state/" /proc/[0-9]*/cmdline | cut -d/ -f3); do
    [ "$pid" = $$ ] || kill -9 -- "-$pid" 2>/dev/null || kill -9 "$pid" 2>/dev/null || true
  done
}

# a folder that goes away again; remote.git and platform, a clone of it that people commit to, begun with folder $1
work_in() {
  unset "${!GIT_@}" "${!STYRMIN_@}"
  work=$(mktemp -d /tmp/styrmin.XXXXXX)
  trap 'status=$?; end_all; cd /; rm -rf "$work"; exit $status' EXIT
  trap 'exit 130' INT TERM
  mkdir "$work/bin" "$work/srv"
  ln -s "$STYRMIN" "$work/bin/styrmin"
  export PATH="$work/bin:$PATH" HOME=$work NO_COLOR=1 GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat LC_ALL=C.UTF-8
  cd "$work"
  git config --global user.name Anna
  git config --global user.email anna@example.com
  git init -q --bare -b main remote.git
  git clone -q remote.git platform 2>/dev/null
  git -C platform symbolic-ref HEAD refs/heads/main
  cp -r "$1/." platform/
  sed -i "s|/srv/[a-z]*|$work/srv|" platform/clusters/here.yaml
}

number=0
step() {
  number=$((number + 1))
  printf '\n== %d. %s\n' "$number" "$*"
}

fail() {
  printf '\nnot as told: %s\n' "$*" >&2
  exit 1
}

# show [CODE] COMMAND...: print it as typed, run it, and hold it to its exit code (0); its output stays in $said;
# Lines have at most 100 columns, but for commands to copy, and where wide=yes
show() {
  local wanted=0 code=0
  case $1 in [0-9]*) wanted=$1; shift ;; esac
  printf '\n$ %s\n' "$*"
  said=$(eval "$*" 2>&1) || code=$?
  [ -z "$said" ] || printf '%s\n' "$said"
  [ "$code" = "$wanted" ] || fail "exit code $code, not $wanted"
  [ "$wanted" = 0 ] || echo "(exit code $code)"
  if [ -z "${wide:-}" ] && awk 'length > 100 && !/styrmin [a-z]+ .*-m REASON$/ {found = 1} END {exit !found}' <<<"$said"; then
    fail "a line of more than 100 columns"
  fi
}

# it_said WORDS: the last command did, on however many lines
it_said() {
  tr -s ' \n' ' ' <<<"$said" | grep -qF -- "$1" || fail "nothing said '$1'"
}

# must COMMAND...: it succeeds; must_not: it does not
must() { "$@" || fail "$*"; }
must_not() { if "$@"; then fail "not $*"; fi; }

# soon COMMAND...: it succeeds within ten seconds
soon() {
  local tries=100
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "$*, not within ten seconds"
    sleep 0.1
  done
}

# commit MESSAGE...: everything in platform, pushed
commit() {
  git -C platform add -A
  local message=() part
  for part in "$@"; do message+=(-m "$part"); done
  git -C platform commit -q --allow-empty "${message[@]}"
  git -C platform push -q origin main
  printf '\n$ git commit -m "%s" && git push\n' "$1"
  [ $# -lt 2 ] || printf '  with the trailer  %s\n' "$2"
}
