#!/bin/sh
# First start of PostgreSQL: make our role and its database. The role is no superuser, for row
# security, which keeps organisations apart a second time, does not apply to those.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set password `cat /run/secrets/postgres_password`
CREATE ROLE detectviz LOGIN PASSWORD :'password';
CREATE DATABASE detectviz OWNER detectviz;
SQL
