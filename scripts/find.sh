# shellcheck shell=bash
# Functions shared by the scripts here; sourced, not run. Written for bash 3.2,
# which is what macOS has.

# say prints one line for the person, on stderr: stdout belongs to the command.
say() { printf '%s\n' "$*" >&2; }

die() { say "$0: $*"; exit 1; }

# postgres_bin prints the folder that holds PostgreSQL's server programs.
# Debian, Red Hat and Homebrew keep them out of PATH, because several versions
# may be installed side by side; the newest wins. demo/postgres/find.go looks in
# the same places.
postgres_bin() {
	local path dir
	if path=$(command -v initdb) && [ -x "$(dirname "$path")/postgres" ]; then
		dirname "$path"
		return 0
	fi
	for dir in $(printf '%s\n' \
		/usr/lib/postgresql/*/bin \
		/usr/pgsql-*/bin \
		/opt/homebrew/opt/postgresql@*/bin /opt/homebrew/opt/postgresql/bin \
		/usr/local/opt/postgresql@*/bin /usr/local/opt/postgresql/bin \
		/Applications/Postgres.app/Contents/Versions/latest/bin |
		awk '{ v = $0; gsub(/[^0-9.]/, "", v); print v + 0, $0 }' | sort -rn | cut -d' ' -f2-); do
		if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
			printf '%s\n' "$dir"
			return 0
		fi
	done
	return 1
}
