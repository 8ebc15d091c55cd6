#!/bin/sh
# The browser tests drive Debian's chromium. Install it where it is missing and we may;
# elsewhere those tests skip and say so.
if command -v chromium >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null ||
    echo "chromium could not be installed: browser tests will skip"
else
  echo "chromium is missing and this user may not install it: browser tests will skip"
fi
exit 0
