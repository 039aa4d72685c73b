#!/bin/sh
# Stands for a web server, so that this example needs nothing but a shell: reads its settings once, at start, and keeps
# in the file `answer` what it would answer. Usage: serve.sh FOLDER
set -eu
cd "$1"
setting() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" settings.json; }

if [ "$(setting workers)" = 0 ]; then
    echo "no workers: nobody would answer" >&2
    exit 1
fi
answer="$(setting version) on port $(setting port), process $$: $(sed -n 's/<h1>\(.*\)<\/h1>/\1/p' index.html)"
trap 'rm -f answer; exit 0' TERM
while :; do
    echo "$answer" >answer.new
    mv answer.new answer
    sleep 1 &
    wait $!
done
