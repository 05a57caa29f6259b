#!/usr/bin/env bash
# Every Debian or Ubuntu package that Ringback needs beyond git, make and Python 3.11 with venv, in one place.
#   system_packages.sh run    what the product needs: nothing but Python's venv module
#   system_packages.sh compiled   what `make compiled` needs: a C compiler and the headers of Python
#   system_packages.sh dev    what the Python packages of the tests are built with
#   system_packages.sh test   what the tests need: the foreign clients and servers, PostgreSQL, Chromium
# Missing ones are installed where that is allowed (root, or sudo without a password); else it says what to ask for.
set -euo pipefail

run_packages=(python3-venv ca-certificates)
compiled_packages=("${run_packages[@]}" gcc libc6-dev python3-dev)
dev_packages=("${compiled_packages[@]}" libkrb5-dev libatomic1)
test_packages=("${dev_packages[@]}" prosody lua-sec ejabberd go-sendxmpp profanity poezio tmux postgresql chromium
  fonts-noto-core fonts-noto-color-emoji procps sip-tester sipsak baresip-core linphone-cli kamailio
  kamailio-tls-modules slapd ldap-utils samba samba-dsdb-modules samba-ad-provision samba-vfs-modules tshark
  rtpengine-daemon janus pulseaudio pulseaudio-utils espeak-ng chromium-headless-shell
  openssl simplesamlphp php-cli php-xml xmlsec1 krb5-kdc krb5-admin-server krb5-user curl iproute2 nftables nmap
  nginx-core libnginx-mod-stream)

case ${1:-} in
  run) wanted=("${run_packages[@]}") ;;
  compiled) wanted=("${compiled_packages[@]}") ;;
  dev) wanted=("${dev_packages[@]}") ;;
  test) wanted=("${test_packages[@]}") ;;
  *) echo "usage: $0 run|compiled|dev|test" >&2; exit 2 ;;
esac

if [ "$1" = run ] && python3 -c 'import ensurepip, venv' 2>/dev/null; then exit 0; fi
if ! command -v dpkg-query >/dev/null; then
  echo "This is not Debian or Ubuntu. Install the equivalents of: ${wanted[*]}" >&2
  [ "$1" = run ] || exit 1
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ]; then as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=(sudo -n)
else
  echo "These packages are missing and you may not install them here. Ask an administrator for:" >&2
  echo "  apt-get install ${missing[*]}" >&2
  exit 1
fi

echo "Installing ${missing[*]}"
# The peers are started by the tests, each in a folder of its own: keep Debian from starting them as services now.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
"${as_root[@]}" apt-get -qq update
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
