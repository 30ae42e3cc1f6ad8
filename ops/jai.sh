#!/bin/sh
# Runs jai-server in the background: ops/jai.sh start | stop | restart | status | logs [-f]
#
# Settings come from the environment, or else from ops/jai.env (see ops/jai.env.example). A relative JAI_MODEL starts at
# the package's folder. The process id and the log are in .run/ there.
#
# `restart` keeps JAI_HOST and JAI_PORT if the running server's start had them from the environment. If the start had other
# settings from there, such as API keys, they must be set again; otherwise `restart` refuses and stops nothing.
#
# The next version replaces an installed package. So for one in node_modules/, the current folder is used in place of the
# package's: settings come from jai.env there, and .run/ is there.
#
# Exit status: 0 done, or running; 1 failed; 2 wrong usage; 3 not running (only `status`).
set -eu

fail() {
  echo "jai-server: $*" >&2
  exit 1
}

usage() {
  echo "usage: $0 start | stop | restart | status | logs [-f]" >&2
  exit 2
}

# Resolves links to this script by hand, since not every system has `readlink -f`.
script=$0
while [ -L "$script" ]; do
  target=$(readlink "$script")
  case $target in
    /*) script=$target ;;
    *) script=$(dirname "$script")/$target ;;
  esac
done
root=$(CDPATH='' cd -- "$(dirname "$script")/.." && pwd -P)
case $root in
  */node_modules/*) home=$(pwd -P) env_file=jai.env ;;
  *) home=$root env_file=ops/jai.env ;;
esac
cd "$home"

run_dir=$home/.run
pid_file=$run_dir/jai-server.pid
log_file=$run_dir/jai-server.log
lock=$run_dir/lock

START_SECONDS=600
KILL_SECONDS=10

# Names of the settings in the environment.
settings_given() {
  awk 'BEGIN { for (name in ENVIRON) if (name ~ /^JAI_[A-Z0-9_]+$/) printf "%s ", name }'
}

is_set() {
  eval "[ -n \"\${$1+set}\" ]"
}

# Reads lines of NAME=VALUE, like systemd, without executing anything. Variables already in the environment win. Editors on
# Windows may begin the file with a byte order mark and end lines with a carriage return.
load_settings() {
  [ -f "$env_file" ] || return 0
  lines=$(LC_ALL=C sed -e "1s/^$(printf '\357\273\277')//" -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' \
    -e 's/^\([A-Z0-9_]*\)[[:space:]]*=[[:space:]]*/\1=/' "$env_file")
  while IFS= read -r line; do
    case $line in
      '' | '#'* | ';'*) continue ;;
      [A-Z]*=*) ;;
      *) fail "$env_file: expected NAME=VALUE, got: $line" ;;
    esac
    name=${line%%=*}
    value=${line#*=}
    case $name in *[!A-Z0-9_]*) fail "$env_file: expected NAME=VALUE, got: $line" ;; esac
    case $value in
      \"*\" | \'*\')
        value=${value#?}
        value=${value%?}
        ;;
    esac
    if ! is_set "$name"; then export "$name=$value"; fi
  done <<EOF
$lines
EOF
}

# Prints when a process started, which tells it apart from later ones with the same id; nothing if it is gone or a zombie.
started_at() {
  if [ -r "/proc/$1/stat" ]; then
    # The second field is the command's name, which may contain anything, even brackets and blanks.
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'
  else
    ps -o stat=,lstart= -p "$1" 2>/dev/null | awk '$1 !~ /^Z/ { $1 = ""; sub(/^ /, ""); print }'
  fi
}

# The pid file survives a crash or a reboot, after which its id may belong to another program.
running() {
  pid='' started='' url='' drain='' had='' had_host='' had_port=''
  [ -f "$pid_file" ] || return 1
  {
    read -r pid && read -r started && read -r url &&
      { { read -r drain && read -r had && read -r had_host && read -r had_port; } || true; }
  } <"$pid_file" || return 1
  case $had in *[!A-Z0-9_\ ]*) had='' ;; esac
  [ -n "$started" ] && [ "$(started_at "$pid")" = "$started" ]
}

# Prints the answer to GET $1, as one line. Exit status: 0 for 2xx, 1 for another status, 2 without an answer.
get() {
  node -e '
    const signal = AbortSignal.timeout(2000);
    fetch(process.argv[1], { signal })
      .then(async (response) => {
        console.log((await response.text()).replace(/\s+/g, " ").trim());
        process.exitCode = response.ok ? 0 : 1;
      })
      .catch(() => process.exit(2));
  ' "$1"
}

# Prints what is wrong, unless $1/ready answers 200: then fails.
not_ready() {
  if answer=$(get "$1/ready"); then return 1; fi
  echo "$1/ready ${answer:+answers }${answer:-does not answer}"
}

# Takes over the address of the running server, if it had that from the environment of its start.
keep_address() {
  for name in $had; do
    case $name in
      JAI_HOST) value=$had_host ;;
      JAI_PORT) value=$had_port ;;
      *) continue ;;
    esac
    if is_set "$name"; then continue; fi
    export "$name=$value"
    echo "jai-server keeps $name=$value, which its start had from the environment"
  done
}

# Ends the script if the running server had settings from the environment of its start that nothing sets now: without its
# API keys, for example, it would be open to everybody.
miss_nothing() {
  missing=''
  for name in $had; do is_set "$name" || missing="$missing $name"; done
  [ -z "$missing" ] ||
    fail "the running server had$missing from the environment of its start: set it again, or stop and start"
}

brief_pause() {
  sleep 0.2 2>/dev/null || sleep 1
}

require_node() {
  command -v node >/dev/null || fail "expected node on the PATH ($PATH), found none"
}

# The lock is a dangling symbolic link: creating it and writing its owner into it is one atomic step.
try_lock() {
  me=$$:$(started_at $$)
  ln -s "$me" "$lock" 2>/dev/null && return
  owner=$(readlink "$lock") || return 1
  [ "$(started_at "${owner%%:*}")" != "${owner#*:}" ] || return 1
  # If several find the owner dead, only one at a time may check again and remove the lock. Otherwise a slow one would
  # remove the lock that a fast one has just taken.
  mkdir "$lock.dead" 2>/dev/null || return 1
  if [ "$(readlink "$lock")" = "$owner" ]; then rm -f "$lock"; fi
  rmdir "$lock.dead"
  ln -s "$me" "$lock" 2>/dev/null
}

drop_lock() {
  if [ "$(readlink "$lock")" = "$me" ]; then rm -f "$lock"; fi
}

take_lock() {
  if ! mkdir -p "$run_dir" 2>/dev/null || [ ! -w "$run_dir" ]; then
    fail "$run_dir cannot be written: run this as a user who may, or \`npm start\` or ops/jai-server.service as this one"
  fi
  try_lock || fail "another $0 is at work here; if not, remove $lock"
  trap drop_lock EXIT
  trap 'exit 1' HUP INT TERM
}

base_url() {
  host=${JAI_HOST:-127.0.0.1}
  port=${JAI_PORT:-8000}
  case $host in
    0.0.0.0) host=127.0.0.1 ;;
    ::) host=[::1] ;;
    *:*) host=[$host] ;;
  esac
  [ "$port" != 0 ] || fail "JAI_PORT: expected a port of your choice, got 0, which is another at each start"
  echo "http://$host:$port"
}

start() {
  if running; then
    echo "jai-server runs already (pid $pid, $url)"
    return 0
  fi
  new_url=$(base_url)
  # Otherwise its answers would be taken for those of our server, which is about to fail.
  if get "$new_url/live" >/dev/null || [ $? -eq 1 ]; then fail "something else answers at $new_url already"; fi
  # The npm package has no sources; it is already built.
  if [ -f "$root/ops/prepare.mjs" ]; then node "$root/ops/prepare.mjs" || exit 1; fi

  if [ -f "$log_file" ]; then mv "$log_file" "$log_file.1"; fi
  # Without this variable: below npm a server ends with npm's shell, which this one must outlive.
  unset npm_lifecycle_event
  nohup node "$root/dist/server/cli.js" serve --restart "${JAI_RESTART:-on}" >>"$log_file" 2>&1 </dev/null &
  pid=$!
  # The pid file has all that `stop` and `status` need, since the settings may have changed by then.
  printf '%s\n' "$pid" "$(started_at "$pid")" "$new_url" "${JAI_DRAIN_SECONDS:-30}" "$given" "${JAI_HOST-}" \
    "${JAI_PORT-}" >"$pid_file"
  # From here on `stop` can end the server, so release the lock: loading a model may take minutes.
  started=$(sed -n 2p "$pid_file")
  drop_lock

  end=$(($(date +%s) + START_SECONDS))
  while why=$(not_ready "$new_url"); do
    if [ -z "$started" ] || [ "$(started_at "$pid")" != "$started" ]; then
      # Another start may have written a new pid file.
      if try_lock && ! running; then rm -f "$pid_file"; fi
      echo "jai-server: did not start; the end of $log_file:" >&2
      tail -n 20 "$log_file" >&2
      exit 1
    fi
    [ "$(date +%s)" -le "$end" ] || fail "not ready after $START_SECONDS s: $why; see $log_file"
    brief_pause
  done
  echo "jai-server runs (pid $pid, $new_url)"
}

stop() {
  if ! running; then
    rm -f "$pid_file"
    echo "jai-server does not run"
    return 0
  fi
  case $drain in '' | *[!0-9]*) drain=30 ;; esac
  kill -TERM "$pid" 2>/dev/null || true
  echo "jai-server finishes what it has begun (pid $pid, $drain s at most)"
  if ! gone_within $((drain + KILL_SECONDS)); then
    echo "jai-server: still there; killing it" >&2
    kill -KILL "$pid" 2>/dev/null || true
    gone_within "$KILL_SECONDS" || fail "pid $pid does not end"
  fi
  rm -f "$pid_file"
  echo "jai-server has stopped"
}

gone_within() {
  end=$(($(date +%s) + $1))
  while running; do
    [ "$(date +%s)" -le "$end" ] || return 1
    brief_pause
  done
}

status() {
  if ! running; then
    echo "jai-server does not run"
    exit 3
  fi
  echo "jai-server runs (pid $pid, $url)"
  get "$url/health" || echo "jai-server: no answer from $url/health" >&2
}

logs() {
  [ -f "$log_file" ] || fail "expected $log_file, which \`$0 start\` writes; got none"
  case ${1-} in
    '') tail -n 100 "$log_file" ;;
    -f) exec tail -n 100 -f "$log_file" ;;
    *) usage ;;
  esac
}

command=${1-}
[ $# -eq 0 ] || shift
case $command in
  logs) [ $# -le 1 ] || usage ;;
  *) [ $# -eq 0 ] || usage ;;
esac
case $command in
  start | stop | restart)
    require_node
    # Read the settings before anything is stopped: if they are wrong, the running server goes on.
    if [ "$command" != restart ] || ! running; then had=''; fi
    keep_address
    given=$(settings_given)
    if [ "$command" != stop ]; then load_settings; fi
    miss_nothing
    take_lock
    case $command in
      start) start ;;
      stop) stop ;;
      restart) stop && start ;;
    esac
    ;;
  status)
    require_node
    status
    ;;
  logs) logs "$@" ;;
  *) usage ;;
esac
