# What `up` and `down` share: where things lie, what the machine must have, and what is made once and kept.
# shellcheck shell=bash

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(dirname "$here")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/lithify"

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}

# For what was asked for wrongly.
misused() {
  say "$@"
  exit 2
}

# A port that is given is one.
check_port() {
  local port="${LITHIFY_LOCALSTACK_PORT:-}"
  [[ -z "$port" ]] || { [[ "$port" =~ ^[1-9][0-9]{0,4}$ ]] && ((port <= 65535)); } || misused "LITHIFY_LOCALSTACK_PORT=$port is no port: give a number from 1 to 65535, or none for a free one"
}

# The newest Python that LocalStack 4.13 runs on, or nothing.
find_python() {
  local candidate
  for candidate in python3 python3.12 python3.11 python3.13; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
}

java_version() { java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1; }

# Everything that is missing, in one message with the command that brings it. Arguments: tools.
need() {
  local tool missing=() packages=() commands=()
  for tool in "$@"; do
    case "$tool" in
      python) [[ -n "$(find_python)" ]] || { missing+=("python3, version 3.11 to 3.13, with venv"); packages+=(python3 python3-venv); } ;;
      java) (($(java_version || echo 0) + 0 >= 17)) 2>/dev/null || { missing+=("java, version 17 or newer"); packages+=(openjdk-17-jre-headless); } ;;
      mvn) command -v mvn >/dev/null || { missing+=("mvn"); packages+=(maven); } ;;
      terraform) command -v terraform >/dev/null || { missing+=("terraform, version 1.9 or newer"); commands+=("see https://developer.hashicorp.com/terraform/install"); } ;;
      cargo) command -v cargo >/dev/null || { missing+=("cargo"); commands+=("see https://rustup.rs"); } ;;
    esac
  done
  ((${#missing[@]} == 0)) && return
  local list="${missing[0]}" each
  for each in "${missing[@]:1}"; do list+="; $each"; done
  say "this machine lacks: $list"
  say "To bring it:"
  ((${#packages[@]} == 0)) || say "  sudo apt-get install ${packages[*]}    (Debian, Ubuntu; elsewhere the packages of those names)"
  for each in "${commands[@]+"${commands[@]}"}"; do say "  $each"; done
  exit 1
}

# The first digits of a hash over files and texts: it names what was made from them. Arguments: files, then texts after `--`.
fingerprint() {
  "$python" - "$@" <<'PYTHON'
import hashlib, sys
arguments = sys.argv[1:]
cut = arguments.index("--") if "--" in arguments else len(arguments)
seen = hashlib.sha256()
for path in arguments[:cut]:
    seen.update(open(path, "rb").read() + b"\0")
for text in arguments[cut + 1:] + [sys.version, sys.base_prefix]:
    seen.update(text.encode() + b"\0")
print(seen.hexdigest()[:16])
PYTHON
}

# Makes a folder once, by a command that is given its name, and prints it. Two at once wait for each other. Arguments: folder, command.
once() {
  local folder="$1"
  shift
  mkdir -p "$(dirname "$folder")"
  (
    if command -v flock >/dev/null; then
      exec 9>"$folder.lock"
      flock 9
    fi
    if [[ ! -e "$folder/complete" ]]; then
      rm -rf "$folder"
      "$@" "$folder" >&2
      touch "$folder/complete"
    fi
  ) || die "could not make $folder"
  printf '%s' "$folder"
}

make_environment() {
  say "making the Python environment for ${1#"$root"/} ..."
  "$python" -m venv "$2"
  "$2/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$1"
}

# The folder of the Python environment that a file of requirements asks for.
environment() { once "$cache/localstack/python-$(fingerprint "$1")" make_environment "$1"; }

make_libraries() {
  say "fetching DynamoDB Local ..."
  mkdir -p "$1"
  mvn --quiet --batch-mode -Dstyle.color=never -f "$here/dynamodb-local.xml" dependency:copy-dependencies -DoutputDirectory="$1"
}

# The folder of DynamoDB Local's jars.
libraries() { once "$cache/localstack/dynamodb-$(fingerprint "$here/dynamodb-local.xml")" make_libraries; }
