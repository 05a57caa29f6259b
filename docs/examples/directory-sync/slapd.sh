#!/bin/sh
# Starts an OpenLDAP with three people at ldaps://127.0.0.1:10636, everything it needs in a folder of its own, until Ctrl-C.
# Needs the Debian packages slapd and openssl.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/data"
cd "$1"
folder=$(pwd)
cp "$here/company.toml" .
umask 077
printf 'directory\n' > directory.password
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=directory" \
  -addext "subjectAltName=IP:127.0.0.1" -keyout key.pem -out directory-ca.pem 2>/dev/null
cat > slapd.conf <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile $folder/directory-ca.pem
TLSCertificateKeyFile $folder/key.pem
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=ringback,dc=example,dc=com" write by anonymous auth by * none
database mdb
suffix "dc=example,dc=com"
directory $folder/data
limits dn.exact="cn=ringback,dc=example,dc=com" size.soft=unlimited size.hard=unlimited size.prtotal=unlimited
index objectClass,entryUUID eq
index uid,sn,givenName,cn,displayName,mail,telephoneNumber,mobile,homePhone eq,sub
END
[ -e data/data.mdb ] || /usr/sbin/slapadd -q -f slapd.conf -l "$here/people.ldif"
echo "The directory runs. In another terminal: ringback lab $folder/company.toml"
exec /usr/sbin/slapd -d 0 -f slapd.conf -h "ldaps://127.0.0.1:${DIRECTORY_PORT:-10636}"
