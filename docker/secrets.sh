#!/bin/sh
# Make the secrets that compose.yaml mounts; keep those that exist. Only this folder's owner can
# enter it (0700); inside, containers of other users must be able to read (0444).
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 0700 secrets
umask 0222

random() { head -c 48 /dev/urandom | base64 | tr -d '+/=\n'; }
make_secret() { [ -e "secrets/$1" ] || { printf '%s' "$2" >"secrets/$1" && echo "made docker/secrets/$1"; }; }

make_secret postgres_password "$(random)"
make_secret postgres_admin_password "$(random)"
make_secret redis_password "$(random)"
make_secret secret_key "$(random)"
make_secret master_keys "$(random)"
make_secret admin_password "A1$(random | cut -c 1-22)"
make_secret smtp_password ""
make_secret database_url "postgresql://detectviz:$(cat secrets/postgres_password)@postgres:5432/detectviz"
make_secret redis_url "redis://:$(cat secrets/redis_password)@redis:6379/0"
echo "The first administrator is 'admin'; the password stands in docker/secrets/admin_password."
echo "Keep secrets/master_keys safe: without it no stored secret can be read."
